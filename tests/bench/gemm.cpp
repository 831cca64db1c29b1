// bench gemm: products of matrices by shape, and by who computes them.
#include <fmt/format.h>

#include "core/vector_math.h"
#include "tests/bench/commands.h"
#include "tests/bench/floor.h"

namespace heed::bench {
namespace {

struct Shape {
  const char* use;
  Product product;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{
      {"square", {false, false, 64, 64, 64, 1}},
      {"square", {false, false, 256, 256, 256, 1}},
      {"square", {false, false, 1024, 1024, 1024, 1}},
      {"toy state", {false, true, 32, 384, 128, 1}},
      {"toy state, backward", {false, false, 32, 128, 384, 1}},
      {"toy weight gradient", {true, false, 384, 128, 352, 1}},
      {"small state", {false, true, 128, 1536, 512, 1}},
      {"small state, backward", {false, false, 128, 512, 1536, 1}},
      {"small weight gradient", {true, false, 1536, 512, 1792, 1}},
      {"small logits", {false, true, 1792, 5893, 256, 1}},
      {"small logits, weights", {true, false, 5893, 256, 1792, 1}},
      {"small projection", {false, true, 1792, 768, 256, 1}},
      {"small projection, weights", {true, false, 768, 256, 1792, 1}},
      {"toy projection", {false, true, 352, 192, 64, 1}},
      {"toy projection, out", {false, true, 352, 64, 64, 1}},
      {"toy projection, backward", {false, false, 352, 64, 192, 1}},
      {"toy projection, weights", {true, false, 192, 64, 352, 1}},
      {"scores of a head", {false, true, 14, 14, 32, 1}},
      {"context of a head", {false, false, 14, 32, 14, 1}},
      {"context of a head, backward", {true, false, 14, 32, 14, 1}}};
  return all;
}

std::string shape_text(const Product& p) {
  return fmt::format("{}x{}x{} {}{}", p.m, p.n, p.k, p.ta ? 't' : 'n', p.tb ? 't' : 'n');
}

// GFLOP/s of every shape.
Json speeds(Multiply multiply, double seconds) {
  std::vector<Product> products;
  for (const Shape& s : shapes()) products.push_back(s.product);
  Scratch scratch(products);
  Json all = Json::array();
  for (const Product& p : products) {
    const double each = seconds / static_cast<double>(products.size());
    all.push_back(1e-9 * p.flops() / time_product(p, multiply, scratch, each).best);
  }
  return all;
}

}  // namespace

std::vector<GemmFigure> measure_gemms(double seconds) {
  struct Maker {
    const char* by;
    bool choose;
    Multiply multiply;
  };
  constexpr Maker makers[] = {{"BLAS, its own choice", false, multiply_blas},
                              {"BLAS, heed's choice", true, multiply_blas},
                              {"heed, in place", true, multiply_in_place},
                              {"heed, copied", true, multiply_copied},
                              {"heed's gemm", true, multiply_heed}};
  std::vector<GemmFigure> all;
  for (const Maker& maker : makers) {
    const Json measured = in_child([&]() -> Json {
      std::string core = blas_core_in_use(maker.choose);
      if (maker.multiply == multiply_in_place || maker.multiply == multiply_copied)
        core = vector_name();
      return {{"core", core}, {"gflops", speeds(maker.multiply, seconds / std::size(makers))}};
    });
    for (size_t i = 0; i < shapes().size(); ++i)
      all.push_back({shapes()[i].use, shape_text(shapes()[i].product), maker.by,
                     measured.at("core").get<std::string>(),
                     measured.at("gflops").at(i).get<double>()});
  }
  return all;
}

Run add_gemm(CommandLine& program) {
  CommandLine command = program.add_command(
      "gemm", "GFLOP/s by shape: BLAS with its own choice of kernels and with heed's, heed's own");
  auto f = std::make_shared<Flags>();
  add_seconds(command, *f, "To measure for");
  add_json(command, *f);
  return measured([f] {
    const auto all = measure_gemms(f->seconds);
    if (f->json) {
      for (const GemmFigure& g : all)
        fmt::print("{}\n", Json{{"use", g.use},
                                {"shape", g.shape},
                                {"by", g.by},
                                {"core", g.core},
                                {"gflops", g.gflops}}
                               .dump());
      return;
    }
    fmt::print("{}\nGFLOP/s of op(a) [m, k] op(b) [k, n], written m x n x k\n", machine_text());
    const size_t rows = shapes().size();
    fmt::print("  {:40}", "");
    for (size_t at = 0; at < all.size(); at += rows)
      fmt::print(" {:>22}", fmt::format("{}", all[at].by));
    fmt::print("\n  {:40}", "");
    for (size_t at = 0; at < all.size(); at += rows)
      fmt::print(" {:>22}", fmt::format("({})", all[at].core));
    fmt::print("\n");
    for (size_t i = 0; i < rows; ++i) {
      fmt::print("  {:22} {:17}", all[i].use, all[i].shape);
      for (size_t at = i; at < all.size(); at += rows) fmt::print(" {:22.0f}", all[at].gflops);
      fmt::print("\n");
    }
  });
}

}  // namespace heed::bench
