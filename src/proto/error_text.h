// src/proto/error_text.h: public. What a code means, in one short English sentence for a person.
//
// The text of an Error where the server has nothing more exact to say, and of clients that know a
// code alone. Never to be parsed (docs/errors.md). Thread rule: any thread.
#pragma once

#include <string_view>

#include "ringtalk_generated.h"

namespace ringtalk::proto {

// Without a full stop; for a code of a later version, that it is unknown.
std::string_view sentence_of(wire::ErrorCode code) noexcept;

}  // namespace ringtalk::proto
