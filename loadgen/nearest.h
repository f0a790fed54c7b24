// loadgen/nearest.h: internal to loadgen. Finds what a mistyped name may have meant.
#pragma once

#include <span>
#include <string_view>

namespace ringtalk::loadgen {

// The known name with the smallest edit distance, or empty when none is close (more than a third of
// its letters differ).
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

}  // namespace ringtalk::loadgen
