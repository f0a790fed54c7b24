// bench/driver/samples.h: private to bench. Rounds of one figure: median and spread.
#pragma once

#include <string>
#include <vector>

namespace ringtalk::bench {

class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  bool empty() const { return values_.empty(); }
  size_t count() const { return values_.size(); }
  double at(size_t round) const { return values_[round]; }
  double median() const;
  double min() const;
  double max() const;
  // "3,412 (3,390–3,488)": median, then the least and the greatest.
  std::string text(int decimals = 0) const;

 private:
  std::vector<double> values_;
};

// For docs/performance.md: a comment that report.py reads.
void print_figure(const std::string& key, const Samples& samples);

// Round by round a/b: what a noisy machine does to one side it mostly does to the other.
Samples ratio(const Samples& a, const Samples& b);

std::string with_commas(double value, int decimals);

}  // namespace ringtalk::bench
