#pragma once

#include <string>

namespace contraflow {

/// One line of a certificate.
struct LayerBound {
  std::string name;
  double lower;  ///< estimate from below of the effective weight's norm
  double upper;  ///< bound in force (proven unless the method is an estimate)
  bool proven;
  double input_order = 2;  ///< orders p and q of the norm |W| = sup |W x|_q / |x|_p it is about
  double output_order = 2;
};

}  // namespace contraflow
