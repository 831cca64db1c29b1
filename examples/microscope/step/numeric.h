// What the ops say when they run again: Jacobians and central differences, as parts of a report.
#pragma once
#include "examples/microscope/check.h"
#include "examples/microscope/step/report.h"
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

/// One tensor's gradient against central differences (check.h).
CheckRow measured_gradient(const Stepper& s, int tensor);

/// " check  e  central ε=1e-6  3 numbers  max|Δ| 7.5e-11  PASS".
Text check_line(const Stepper& s, const CheckRow& row);

/// dy/dx of one input of an op: one row of it, or (row -1) all where that is small. With J^T dy
/// beside what was recorded.
void append_jacobian(const Stepper& s, int op, int slot, int row, Report& r);

/// The largest singular value of a matrix of these rows and columns.
double spectral_norm(const Numbers& matrix, size_t rows, size_t columns);

}  // namespace heed::microscope::stepper
