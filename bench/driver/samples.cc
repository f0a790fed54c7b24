#include "bench/driver/samples.h"

#include <algorithm>
#include <cstdio>

#include "base/assert.h"

namespace ringtalk::bench {

double Samples::median() const {
  ASSERT(!values_.empty());
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Samples::min() const {
  return *std::min_element(values_.begin(), values_.end());
}
double Samples::max() const {
  return *std::max_element(values_.begin(), values_.end());
}

std::string Samples::text(int decimals) const {
  if (values_.empty()) return "not run";
  return with_commas(median(), decimals) + " (" + with_commas(min(), decimals) + "–" +
         with_commas(max(), decimals) + ")";
}

void print_figure(const std::string& key, const Samples& samples) {
  std::printf("<!-- figure %s %.6g %.6g %.6g -->\n", key.c_str(), samples.median(), samples.min(),
              samples.max());
}

Samples ratio(const Samples& a, const Samples& b) {
  ASSERT(a.count() == b.count());
  Samples ratios;
  for (size_t i = 0; i < a.count(); i++) ratios.add(a.at(i) / b.at(i));
  return ratios;
}

std::string with_commas(double value, int decimals) {
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.*f", decimals, value);
  std::string text = digits;
  const size_t point = text.find('.');
  const size_t end = point == std::string::npos ? text.size() : point;
  for (size_t at = end; at > 3 + (value < 0 ? 1u : 0u); at -= 3) text.insert(at - 3, ",");
  return text;
}

}  // namespace ringtalk::bench
