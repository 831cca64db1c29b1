// The right kernels for this CPU. Not a BLAS wrapper (that is blas.h).
#pragma once
#include <string_view>

namespace heed {

/// Floats of one vector of the kernels that OpenBLAS calls by this name; 0: not known.
int lanes_of_blas_core(std::string_view core);

/// OpenBLAS runs a CPU that it does not know with SSE3 kernels, and older builds run newer CPUs
/// with AVX2 kernels where AVX-512 would be twice as fast. Where the CPU has wider vectors than the
/// core that OpenBLAS chose, and it can choose again, this makes it take the core of those vectors;
/// a product is then compared with a plain loop, and on any doubt the first choice is put back. A
/// setting of the user's (OPENBLAS_CORETYPE) always wins. Call once, before any product.
void choose_blas_core();

}  // namespace heed
