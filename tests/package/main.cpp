// A program outside the tree that has only the installed heed.
#include <heed/heed.h>

#include <cstdio>

int main() {
  heed::Rng rng(1);
  std::printf("%s\nuniform %.17g\n", heed::version_text("outside").c_str(), rng.uniform());
}
