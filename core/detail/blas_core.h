// The right kernels for this CPU. Not a BLAS wrapper (that is blas.h).
#pragma once

namespace heed {

/// Older OpenBLAS builds do not know newer CPUs and run them with AVX2 kernels at about half the
/// speed that their AVX-512 units allow. Where the CPU has AVX-512, OpenBLAS chose an AVX2 core and
/// can choose again, this makes it take its AVX-512 core; a product is then compared with a plain
/// loop, and on any doubt the first choice is put back. A setting of the user's (OPENBLAS_CORETYPE)
/// always wins. Call once, before any product.
void choose_blas_core();

}  // namespace heed
