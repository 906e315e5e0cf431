#include "cli/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "contraflow/core/leftovers.h"

namespace contraflow::cli {
namespace {

constexpr std::array kEndingSignals{SIGINT, SIGTERM, SIGHUP};

// All that the handler touches.
volatile std::sig_atomic_t scope_lives = 0;
volatile std::sig_atomic_t asked_by = 0;

struct sigaction earlier_interrupt {};  // what SIGINT did before the scope

// Only calls that POSIX lists as async-signal-safe.
void on_ending_signal(int signal) {
  if (scope_lives != 0 && asked_by == 0) {
    asked_by = signal;
    return;
  }
  remove_leftovers();
  // The default action ends the process after this handler, so that its parent sees the signal.
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void handle(int signal, struct sigaction* before = nullptr) {
  struct sigaction action {};
  action.sa_handler = on_ending_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  for (const int other : kEndingSignals) ::sigaddset(&action.sa_mask, other);
  ::sigaction(signal, &action, before);
}

bool is_ignored(int signal) {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_IGN;
}

// /dev/null, open the wrong way round, keeps the number and refuses the words.
void occupy_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

}  // namespace

void prepare_process() {
  occupy_closed_streams();
  std::signal(SIGPIPE, SIG_IGN);
  for (const int signal : kEndingSignals) {
    if (!is_ignored(signal)) handle(signal);
  }
}

StopScope::StopScope() {
  scope_lives = 1;
  handle(SIGINT, &earlier_interrupt);
}

StopScope::~StopScope() {
  ::sigaction(SIGINT, &earlier_interrupt, nullptr);
  scope_lives = 0;
}

int stop_signal() { return asked_by; }

std::string signal_name(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "signal " + std::to_string(signal);
  }
}

int stopped_exit_code() { return 128 + stop_signal(); }

}  // namespace contraflow::cli
