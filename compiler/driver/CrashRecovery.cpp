//===- CrashRecovery.cpp - Runs code that may crash -----------------------===//

#include "compiler/driver/CrashRecovery.h"
#include "compiler/driver/Compile.h"
#include "compiler/driver/Diagnostics.h"

#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"

#include <csignal>
#include <cstring>
#include <exception>
#include <new>

using namespace llvm;

static constexpr unsigned stackBytes = 512u << 20; // reserved, not touched
static constexpr int fatalErrorCode = 70;

/// What LLVM said before it gave up, on this thread.
static thread_local std::string *fatalMessage = nullptr;

static void onFatalError(void *, const char *reason, bool) {
  if (fatalMessage)
    *fatalMessage = reason;
  if (CrashRecoveryContext *context = CrashRecoveryContext::GetCurrent())
    context->HandleExit(fatalErrorCode);
}

void onnxc::recoverFromCrashes() {
  CrashRecoveryContext::Enable();
  install_fatal_error_handler(onFatalError);
  install_bad_alloc_error_handler(onFatalError);
}

bool onnxc::runRecovering(function_ref<void()> work, std::string &error) {
  std::string message, thrown;
  CrashRecoveryContext context;
  bool completed = context.RunSafelyOnThread(
      [&] {
        fatalMessage = &message;
        try {
          work();
        } catch (const std::bad_alloc &) {
          thrown = "out of memory";
        } catch (const std::exception &exception) {
          thrown = std::string("internal error: ") + exception.what();
        }
        fatalMessage = nullptr;
      },
      stackBytes);
  if (completed && thrown.empty())
    return true;
  if (!thrown.empty()) {
    error = oneLine(thrown);
  } else if (!message.empty()) {
    error = "internal error in LLVM: " + oneLine(message);
  } else {
    error = "internal error: the compiler crashed";
    if (context.RetCode > 128)
      error += std::string(" (") + strsignal(context.RetCode - 128) + ")";
  }
  return false;
}
