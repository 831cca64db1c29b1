// Memory of tensors: alignment, shared ownership, change counting, and the pool.
#include "core/buffer.h"

#include <gtest/gtest.h>
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace heed {
namespace {

TEST(Buffer, IsAlignedAndWritableToItsLastByte) {
  for (const size_t bytes : {0u, 1u, 63u, 64u, 65u, 80u, 81u, 1000u, 4096u, 100'000u, 1'000'003u}) {
    const Buffer b(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % 64, 0u) << bytes;
    std::memset(b.data(), 0x5a, bytes);  // asan and valgrind watch the end
  }
}

// Blocks of neighbouring sizes share a class: each must be large enough for the largest of them.
TEST(Buffer, ABlockThatIsReusedIsLargeEnough) {
  for (size_t bytes = 1; bytes < 5000; ++bytes) {
    { const Buffer first(bytes); }
    std::vector<Buffer> next;
    for (size_t more = bytes; more < bytes + 3; ++more) {
      next.emplace_back(more);
      std::memset(next.back().data(), 0x5a, more);
    }
  }
}

TEST(Buffer, IsSharedByCopiesUntilTheLastIsGone) {
  EXPECT_FALSE(Buffer());
  Buffer a(100);
  EXPECT_TRUE(a.unique());
  {
    const Buffer b = a;
    EXPECT_TRUE(b.same_as(a));
    EXPECT_FALSE(a.unique());
  }
  EXPECT_TRUE(a.unique());
  const Buffer c = std::move(a);
  EXPECT_TRUE(c.unique());
  EXPECT_FALSE(a);  // NOLINT: a moved-from buffer is empty
  EXPECT_FALSE(c.same_as(Buffer(100)));
}

TEST(Buffer, AFurtherHandleIsAnOwnerLikeAnyOther) {
  Buffer a(100);
  {
    const Buffer b = a.again();  // of the only one
    EXPECT_TRUE(b.same_as(a));
    EXPECT_FALSE(a.unique());
    const Buffer c = a.again();  // of one of two
    EXPECT_TRUE(c.same_as(a));
    a = Buffer();
    EXPECT_FALSE(b.unique());
  }
  EXPECT_FALSE(Buffer().again());
  const uint64_t before = pool_stats().requests;
  Buffer once(100);
  { const Buffer twice = once.again(); }
  EXPECT_TRUE(once.unique());
  EXPECT_EQ(pool_stats().requests, before + 1);
}

TEST(Buffer, AssignmentReleasesWhatWasHeld) {
  Buffer a(100);
  const Buffer old = a;
  a = Buffer(100);
  EXPECT_TRUE(old.unique());
  const Buffer& self = a;
  a = self;
  EXPECT_TRUE(a.unique());
}

TEST(Buffer, CountsItsChangesFromZeroForEveryOwner) {
  const Buffer a(100);
  const Buffer b = a;
  EXPECT_EQ(a.version(), 0u);
  b.changed();
  EXPECT_EQ(a.version(), 1u);
}

TEST(Buffer, AReusedBlockBeginsAtVersionZero) {
  {
    const Buffer a(100);
    a.changed();
  }
  EXPECT_EQ(Buffer(100).version(), 0u);
}

TEST(Buffer, AnAbsurdSizeIsBadAlloc) {
  EXPECT_THROW(Buffer((size_t{1} << 38) + 1), std::bad_alloc);
  EXPECT_THROW(Buffer{SIZE_MAX}, std::bad_alloc);
}

TEST(Pool, TheSecondRoundAsksTheSystemForNothing) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  const auto round = [] {
    std::vector<Buffer> live;
    for (size_t bytes = 1; bytes < 100'000; bytes = bytes * 3 / 2 + 1) live.emplace_back(bytes);
    return live.size();
  };
  round();
  const PoolStats before = pool_stats();
  const uint64_t held = pool_bytes_held();
  const size_t requests = round();
  const PoolStats after = pool_stats();
  EXPECT_EQ(after.requests - before.requests, requests);
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(pool_bytes_held(), held);
}

// How often the pool asks the system for a block of this size.
uint64_t asks_the_system(size_t bytes) {
  const uint64_t before = pool_stats().allocations;
  const Buffer b(bytes);
  return pool_stats().allocations - before;
}

TEST(Pool, ALargeBlockIsCutInPartsThatGrowTogetherAgain) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  constexpr size_t kWhole = 64'000'000, kPart = 15'990'000;
  trim_pool();
  { const Buffer whole(kWhole); }
  const uint64_t before = pool_stats().allocations;
  std::array<size_t, 4> order{0, 1, 2, 3};
  do {
    std::vector<Buffer> parts;
    for (int i = 0; i < 4; ++i) parts.emplace_back(kPart);
    for (const size_t i : order) parts[i] = Buffer();
    const Buffer whole(kWhole);
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(pool_stats().allocations, before);
}

TEST(Pool, PartsDoNotGrowAcrossABlockInUse) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  trim_pool();
  { const Buffer whole(60'000'000); }
  Buffer first(10'000'000), used(10'000'000), last(10'000'000);
  std::memset(used.data(), 0x5a, 10'000'000);
  first = last = Buffer();
  EXPECT_EQ(asks_the_system(10'000'000), 0u);
  EXPECT_EQ(asks_the_system(50'000'000), 1u);
  for (Buffer* b : {&first, &last}) {
    *b = Buffer(10'000'000);
    std::memset(b->data(), 0, 10'000'000);
  }
  for (size_t i = 0; i < 10'000'000; ++i) ASSERT_EQ(used.data()[i], std::byte{0x5a});
}

TEST(Pool, ABlockIsCutFromTheOldestMemoryThatFits) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  trim_pool();
  { const Buffer older(30'000'000), newer(60'000'000); }
  const Buffer part(10'000'000);
  EXPECT_EQ(asks_the_system(60'000'000), 0u);
}

TEST(Pool, BatchesOfManyLengthsNeedHardlyMoreThanTheLongest) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  trim_pool();
  constexpr size_t kLongest = 60;
  const auto batch = [](size_t length) {  // with states, scores and logits of every step
    std::vector<Buffer> saved;
    size_t bytes = 0;
    for (size_t t = 0; t < length; ++t)
      for (const size_t size : {length * 30'000, length * length * 500, size_t{100'000}}) {
        saved.emplace_back(size);
        bytes += size;
      }
    return bytes;
  };
  const size_t most = batch(kLongest);
  for (size_t k = 0; k < 200; ++k) batch(5 + k * 17 % (kLongest - 5));
  EXPECT_GE(pool_bytes_held(), most);
  EXPECT_LT(static_cast<double>(pool_bytes_held()), 1.2 * static_cast<double>(most));
}

TEST(Pool, BlocksThatGrowLeaveNothingBehind) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  trim_pool();
  constexpr size_t kMost = 200'000'000;
  for (size_t bytes = 1'000'000; bytes <= kMost; bytes += 1'000'000) const Buffer one(bytes);
  EXPECT_GE(pool_bytes_held(), kMost);
  EXPECT_LT(pool_bytes_held(), kMost + 70'000'000);
  Buffer last(100'000);
  for (size_t bytes = 100'000; bytes <= 40'000'000; bytes += 100'000) last = Buffer(bytes);
  last = Buffer();
  EXPECT_LT(pool_bytes_held(), kMost + 140'000'000);
}

TEST(Pool, BlocksOfAllSizesKeepTheirNumbersOnTwoThreads) {
  const auto holds = [](const Buffer& b, size_t bytes, int what) {
    return std::all_of(b.data(), b.data() + bytes,
                       [=](std::byte x) { return x == static_cast<std::byte>(what); });
  };
  struct Held {
    Buffer block;
    size_t bytes = 0;
    int with = 0;
  };
  std::vector<Held> shelf(40);  // where both leave what the other one takes
  std::mutex mutex;
  std::atomic<int> wrong{0};
  const auto work = [&](int seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    for (int k = 0; k < 2'000; ++k) {
      const size_t bytes = random() % (size_t{1} << (6 + random() % 15));
      Held h{Buffer(bytes), bytes, static_cast<int>(random() % 256)};
      std::memset(h.block.data(), h.with, h.bytes);
      {
        const std::lock_guard lock(mutex);
        std::swap(h, shelf[random() % shelf.size()]);
      }
      if (h.block && !holds(h.block, h.bytes, h.with)) ++wrong;
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  for (const Held& h : shelf)
    if (h.block && !holds(h.block, h.bytes, h.with)) ++wrong;
  EXPECT_EQ(wrong, 0);
}

TEST(List, TakesItsMemoryFromThePoolAndReturnsIt) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is reused under AddressSanitizer";
  const auto fill = [] {
    List<int> list;
    for (int i = 0; i < 1000; ++i) list.push_back(i);
    return list[999];
  };
  EXPECT_EQ(fill(), 999);
  const PoolStats before = pool_stats();
  const uint64_t held = pool_bytes_held();
  EXPECT_EQ(fill(), 999);
  EXPECT_GT(pool_stats().requests, before.requests);
  EXPECT_EQ(pool_stats().allocations, before.allocations);
  EXPECT_EQ(pool_bytes_held(), held);
}

TEST(Pool, HoldsWhatWasReleasedUntilItIsTrimmed) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is held under AddressSanitizer";
  trim_pool();
  EXPECT_EQ(pool_bytes_held(), 0u);
  { const Buffer a(1000); }
  const uint64_t held = pool_bytes_held();
  EXPECT_GE(held, 1000u);
  EXPECT_LE(held, 1125u) << "more than an eighth is slack";
  const Buffer again(1000);
  EXPECT_EQ(pool_bytes_held(), 0u);
  { const Buffer other(1000); }
  trim_pool();
  EXPECT_EQ(pool_bytes_held(), 0u);
}

#if defined(__linux__)
bool in_memory(void* address) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t at = reinterpret_cast<uintptr_t>(address) / page * page;
  unsigned char state = 0;
  return mincore(reinterpret_cast<void*>(at), page, &state) == 0 && (state & 1) != 0;
}

TEST(Pool, TrimmingEmptiesBlocksWhoseNeighboursAreInUse) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is held under AddressSanitizer";
  trim_pool();
  Buffer neighbour(50'000), block(1'000'000), other(50'000);
  for (const Buffer* b : {&neighbour, &other}) std::memset(b->data(), 0x5a, 50'000);
  std::memset(block.data(), 0x5a, 1'000'000);
  std::byte* middle = block.data() + 500'000;
  EXPECT_TRUE(in_memory(middle));
  block = Buffer();
  EXPECT_TRUE(in_memory(middle));
  trim_pool();
  EXPECT_FALSE(in_memory(middle));
  for (const Buffer* b : {&neighbour, &other})
    for (size_t i = 0; i < 50'000; ++i) ASSERT_EQ(b->data()[i], std::byte{0x5a});
}

TEST(Pool, ChunksGoBackToTheSystem) {
  if (!pool_reuses()) GTEST_SKIP() << "nothing is held under AddressSanitizer";
  const auto mapped = [] {
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  };
  const auto round = [] {
    std::vector<Buffer> all;
    for (int i = 0; i < 30; ++i) all.emplace_back(1'000'000);
    for (size_t bytes = 50'000'000; bytes < 200'000'000; bytes += 50'000'000)
      const Buffer growing(bytes);
    std::thread([last = std::move(all.back())] {}).join();  // one of them by another thread's pool
    all.clear();
    trim_pool();
  };
  for (int i = 0; i < 10; ++i) round();
  const uint64_t before = mapped();
  for (int i = 0; i < 100; ++i) round();  // 3 GB in all
  EXPECT_LT(mapped(), before + 100'000'000);
}
#endif

TEST(Pool, ABufferMayDieOnAnotherThreadOrOutliveItsOwn) {
  Buffer made_there;
  Buffer made_here(1000);
  std::thread([&, gift = std::move(made_here)]() mutable {
    made_there = Buffer(1000);
    std::memset(made_there.data(), 1, 1000);
    gift = Buffer();
  }).join();
  EXPECT_EQ(made_there.data()[999], std::byte{1});
}

// What a thread still makes while its statics go, when its pool is gone already.
struct MakesABufferLate {
  Buffer* to = nullptr;
  ~MakesABufferLate() {
    if (to) *to = Buffer(1);
  }
};
thread_local MakesABufferLate late;

TEST(Pool, ABlockMadeWithoutAPoolDoesNotEnterOne) {
  trim_pool();
  Buffer made;
  std::thread([&] {
    late.to = &made;  // before the pool, and so gone after it
    const Buffer first(1);
  }).join();
  made.data()[0] = std::byte{1};
  made = Buffer();
  EXPECT_EQ(pool_bytes_held(), 0u);
}

TEST(Pool, StatisticsAreOfThisThreadOnly) {
  const uint64_t before = pool_stats().requests;
  std::thread([] { const Buffer other(10); }).join();
  EXPECT_EQ(pool_stats().requests, before);
}

}  // namespace
}  // namespace heed
