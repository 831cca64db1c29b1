#!/usr/bin/env bash
# Do the gradient tests notice? Plants one-line errors in backward passes, one at a time, and demands
# that the tests fail and name the op. Works on a copy; run by hand (about five minutes):
#   tests/autograd/mutations.sh [op...]       only the errors in these ops
#   tests/autograd/mutations.sh --check       only whether every line to be changed is there (a test)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
wanted=" $* "

# file | op (or test) that must be named | what is wrong | line | line with the error
mutations=(
  "ops_math.cpp|add|second input forgotten|flow.pass_dy({0, 1});|flow.pass_dy({0});"
  "ops_math.cpp|sub|wrong sign|[](auto g, auto) { return -g; });|[](auto g, auto) { return g; });"
  "ops_math.cpp|mul|second input forgotten|accumulate(flow, 1, *a, dy, times);|"
  "ops_math.cpp|div|wrong sign|return -r * g;|return r * g;"
  "ops_math.cpp|tanh|y for y^2|return (1 - v * v) * g;|return (1 - v) * g;"
  "ops_math.cpp|sigmoid|factor deleted|return v * (1 - v) * g;|return v * g;"
  "ops_math.cpp|gelu|term deleted|return (normal_cdf(v) + v * density) * g;|return normal_cdf(v) * g + 0 * density;"
  "ops_choice.cpp|where|both sides get all|return c != 0 ? 0 : g;|return c != 0 ? g : g;"
  "ops_choice.cpp|masked_fill|mask forgotten|if (kept) to += g;|to += kept ? g : g;"
  "ops_choice.cpp|clamp|gradient where it was limited|return v >= lo && v <= hi ? g : 0;|return v >= lo \|\| v <= hi ? g : 0;"
  "backward.cpp|linear|bias forgotten|add(bias, some);|"
  "ops_matmul.cpp|matmul|first factor's share forgotten|add_product(flow, 0, a, kPlain, dy, kTransposed, b);|"
  "ops_shape.cpp|permute|axes not put back|back[static_cast<size_t>(order[static_cast<size_t>(i)])] = i;|back[static_cast<size_t>(i)] = order[static_cast<size_t>(i)];"
  "ops_shape.cpp|slice|wrong place|part_of(flow.dx(0), axis, begin, end)|part_of(flow.dx(0), axis, 0, end - begin)"
  "ops_shape.cpp|concat|every part gets the first|part_of(flow.dy(), axis, begin, end)|part_of(flow.dy(), axis, 0, end - begin)"
  "ops_reduce.cpp|mean|division forgotten|scale_in_place(share, 1.0 / static_cast<double>(count));|"
  "ops_reduce.cpp|max|= for +=|()[i]] += dy|()[i]] = dy"
  "ops_reduce.cpp|logsumexp|= for +=|to[r * n + j] += std::exp|to[r * n + j] = std::exp"
  "../core/vector_math.cpp|softmax|term deleted|y[i] * (dy[i] - mean)|y[i] * dy[i] + 0 * mean"
  "../core/vector_math.cpp|softmax|factor deleted|y[i] * (dy[i] - mean)|dy[i] - mean"
  "ops_softmax.cpp|log_softmax|softmax forgotten|g[j] - std::exp(l[j]) * total|g[j] - total"
  "backward.cpp|embedding|an id that comes twice counts once|vaxpy(width, T(1), from.data<T>() + k * width, out + id[k] * width);|std::memcpy(out + id[k] * width, from.data<T>() + k * width, static_cast<size_t>(width) * sizeof(T));"
  "ops_nn.cpp|dropout|mask forgotten|put_times_m(dense(flow.dy(), room), dx);|dx = clone(flow.dy());"
  "../core/simd/layer_norm.h|layer_norm|term deleted|norm[i] * along|0 * along"
  "ops_nn.cpp|layer_norm|only the first row|vadd_products(rows, d|vadd_products(1, d"
  "ops_loss.cpp|cross_entropy|mean over all tokens|g /= static_cast<T>(count);|g /= static_cast<T>(rows);"
  "ops_loss.cpp|cross_entropy|smoothing forgotten|normaliser->data<T>()[r], share, g, d);|normaliser->data<T>()[r], 0 * share, g, d);"
  "../core/simd/cells.h|additive_score|derivative of tanh forgotten|g * v[j] * (1 - u[j] * u[j]);|g * v[j];"
  "ops_attention.cpp|additive_score|every query adds to the first|at(0, b * t_max + t)|at(0, b * t_max)"
  "ops_attention.cpp|unit|length forgotten|(g[j] - along * yp[j]) / l[r]|(g[j] - along * yp[j])"
  "ops_attention.cpp|unit|part along x left in|(g[j] - along * yp[j])|(g[j] - 0 * along * yp[j])"
  "ops_rnn.cpp|rnn_sequence|an ended sentence loses its gradient|std::fill_n(row, n, T(0));|std::fill_n(row, n, T(0)), std::fill_n(dh + b * n, n, T(0));"
  "../core/simd/cells.h|gru_sequence|the way through the state forgotten|dh[j] = d * z[j];|dh[j] = 0;"
  "../core/simd/cells.h|gru_sequence|reset gate forgotten|dg[2 * n + j] = da_n * r[j];|dg[2 * n + j] = da_n;"
  "../core/simd/cells.h|lstm_sequence|forget gate forgotten|dc[j] = d * f[j];|dc[j] = d;"
  "../core/simd/cells.h|lstm_sequence|way through the output forgotten|d = dc[j] + d_h * o[j] * (1 - tc[j] * tc[j]);|d = dc[j];"
  "ops_rnn.cpp|rnn_sequence|padding leaks in|if (w.active(b, t)) {|if (w.active(b, t) \|\| true) {"
  "backward.cpp|SharedGradients|shared memory written|if (!s.grad.dense() \|\| !s.grad.buffer().unique())|if (!s.grad.dense())"
  "backward.cpp|SharedGradients|a kept gradient handed over|if (has_dy(0) && !output(0).keep)|if (has_dy(0))"
  "backward.cpp|SharedGradients|a kept gradient overwritten|if (!s.keep && s.grad.dense()|if (s.grad.dense()"
)

# A mutation's parts: file, op, what, line, wrong.
parts() {
  IFS='|' read -r file op what line wrong <<< "${1//\\|/$'\x01'}"
  line=${line//$'\x01'/|} wrong=${wrong//$'\x01'/|}
}

for mutation in "${mutations[@]}"; do
  parts "$mutation"
  [[ $(< "$root/autograd/$file") == *"$line"* ]] && continue
  echo "$file does not hold the line to be changed: $line"
  exit 1
done
[[ $wanted != " --check " ]] || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tar -C "$root" --exclude=.git --exclude='./build*' -c . | tar -C "$scratch" -x
cmake -S "$scratch" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DHEED_EXAMPLES=OFF > /dev/null

check() {  # builds and runs; prints what the tests say; status of the tests
  nice ninja -C "$scratch/build" heed_autograd_test > "$scratch/build.log" 2>&1 ||
    { cat "$scratch/build.log" >&2; exit 1; }
  timeout 120 "$scratch/build/bin/heed_autograd_test" --gtest_brief=1 \
    --gtest_filter=-LongChain.*:Twins.*:Golden*.* > "$scratch/test.log" 2>&1
}

echo "building a copy in $scratch"
check || { tail -20 "$scratch/test.log"; echo "the tests fail before anything was planted"; exit 1; }

planted=0 missed=0
for mutation in "${mutations[@]}"; do
  parts "$mutation"
  [[ $wanted == "  " || $wanted == *" $op "* ]] || continue
  source=$scratch/autograd/$file
  text=$(< "$source")
  printf '%s\n' "${text/"$line"/"$wrong"}" > "$source"
  planted=$((planted + 1))
  if check; then
    verdict="NOT NOTICED"
    missed=$((missed + 1))
  elif ! verdict=$(grep -m1 -E "^$op \(|FAILED.* $op\." "$scratch/test.log"); then
    verdict="noticed, but $op is not named: $(grep -m1 -A3 Failure "$scratch/test.log" | tr '\n' ' ')"
    missed=$((missed + 1))
  fi
  printf '%-15s %-36s %s\n' "$op" "$what" "$verdict"
  printf '%s\n' "$text" > "$source"
done
echo "$planted errors planted, $missed not caught by name"
[[ $missed -eq 0 ]]
