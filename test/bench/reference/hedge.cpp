// The model of hedge.ts as a minimal C++ program: the standard library's heap, with ends that no longer count left in it
// until they come up, and the same generator. Usage: hedge JOBS; prints the mean response time and the seconds it took.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <queue>
#include <vector>

namespace {

constexpr int servers = 16;
constexpr double utilisation = 0.6;
constexpr int none = -1;
constexpr int arrival = -2;

struct Generator {
  uint64_t first = 0x9e3779b97f4a7c15ULL;
  uint64_t second = 0xbf58476d1ce4e5b9ULL;

  static uint64_t rotated(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

  uint64_t next() {
    const uint64_t sum = first + second;
    const uint64_t mixed = first ^ second;
    first = rotated(first, 24) ^ mixed ^ (mixed << 16);
    second = rotated(mixed, 37);
    return sum;
  }

  double unit() { return (static_cast<double>(next() >> 12) + 0.5) * 0x1p-52; }
  double exponential() { return -std::log(unit()); }
  int below(int n) { return static_cast<int>(unit() * n); }
};

struct Event {
  double time;
  uint64_t sequence;
  int copy;
  uint32_t start;

  bool operator<(const Event& other) const {
    return time > other.time || (time == other.time && sequence > other.sequence);
  }
};

struct Copy {
  int server, before, next;
  uint32_t start;  // Counts starts and stops: an end with another number is that of a copy stopped since.
};

class Model {
 public:
  Model() {
    for (int& copy : last) copy = none;
    schedule_arrival();
  }

  double run(long jobs) {
    responses = 0;
    for (long ended = 0; ended < jobs;) {
      const Event event = events.top();
      events.pop();
      if (event.copy != arrival && copies[event.copy].start != event.start) continue;
      now = event.time;
      if (event.copy == arrival) {
        arrive();
      } else {
        end(event.copy);
        ended++;
      }
    }
    return responses / static_cast<double>(jobs);
  }

 private:
  void schedule(double delay, int copy, uint32_t start) { events.push({now + delay, sequence++, copy, start}); }
  void schedule_arrival() { schedule(random.exponential() / (servers * utilisation), arrival, 0); }

  void arrive() {
    if (free_jobs.empty()) {
      free_jobs.push_back(static_cast<int>(arrived.size()));
      arrived.push_back(0);
      copies.resize(copies.size() + 2);
    }
    const int job = free_jobs.back();
    free_jobs.pop_back();
    arrived[job] = now;
    const int one = random.below(servers);
    const int other = random.below(servers - 1);
    join(2 * job, one);
    join(2 * job + 1, other < one ? other : other + 1);
    schedule_arrival();
  }

  void join(int copy, int server) {
    copies[copy].server = server;
    copies[copy].before = last[server];
    copies[copy].next = none;
    if (last[server] == none) start(copy);
    else copies[last[server]].next = copy;
    last[server] = copy;
  }

  void start(int copy) { schedule(random.exponential(), copy, ++copies[copy].start); }

  void end(int copy) {
    responses += now - arrived[copy / 2];
    leave(copy);
    leave(copy ^ 1);
    free_jobs.push_back(copy / 2);
  }

  void leave(int copy) {
    Copy& leaving = copies[copy];
    leaving.start++;
    if (leaving.next == none) last[leaving.server] = leaving.before;
    else copies[leaving.next].before = leaving.before;
    if (leaving.before != none) copies[leaving.before].next = leaving.next;
    else if (leaving.next != none) start(leaving.next);
  }

  Generator random;
  std::priority_queue<Event> events;
  std::vector<Copy> copies;
  std::vector<double> arrived;
  std::vector<int> free_jobs;
  int last[servers];
  double now = 0;
  double responses = 0;
  uint64_t sequence = 0;
};

}  // namespace

int main(int count, char** arguments) {
  const long jobs = count > 1 ? std::atol(arguments[1]) : 1000000;
  Model model;
  model.run(jobs / 10);
  const auto begun = std::chrono::steady_clock::now();
  const double mean = model.run(jobs);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
  std::printf("%.6f %.6f\n", mean, taken.count());
}
