#pragma once

#include <string>

namespace contraflow::cli {

/// What signals and closed streams do to this process from now on. SIGINT, SIGTERM and SIGHUP
/// remove what is half written (remove_leftovers()) and end the process, unless a StopScope lives;
/// one that was ignored when the process started stays ignored, as nohup wants it. SIGPIPE is
/// ignored: a write to a pipe that nobody reads is an error of that write. Standard streams that
/// are closed refuse what is written to them, and no file gets their numbers. Call once, first
/// thing in main().
void prepare_process();

/// While it lives, the first of those three signals asks the work to stop at a good moment, and the
/// next one ends the process at once. SIGINT does so even if it was ignored, as it is in jobs that
/// a script puts into the background: who sends it there means this process. What was asked stays
/// asked after the scope: the next work stops too.
class StopScope {
 public:
  StopScope();
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;
};

/// The signal that asked the work to stop; 0 = none.
int stop_signal();
/// "SIGTERM".
std::string signal_name(int signal);
/// What a shell expects after the signal that asked to stop: 128 and its number.
int stopped_exit_code();

}  // namespace contraflow::cli
