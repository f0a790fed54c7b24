// loadgen/hdr_encoding.h: internal to loadgen. A histogram as HdrHistogram's tools read it.
//
// Format: HdrHistogram V2, compressed (cookie 0x1c849314, length, zlib of: cookie 0x1c849313,
// payload length, normalising offset, digits, lowest, highest, ratio, then counts as ZigZag LEB128
// where a negative number stands for that many empty buckets), all of it in base64.
// Source: github.com/HdrHistogram/HdrHistogram, AbstractHistogram.java.
#pragma once

#include <string>

#include "base/histogram.h"

namespace ringtalk::loadgen {

std::string hdr_encode(const base::Histogram& histogram);

}  // namespace ringtalk::loadgen
