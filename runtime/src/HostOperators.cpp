//===- HostOperators.cpp - The libraries of host operators -===//
#include "HostOperators.h"

#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <string>

namespace onnxc::runtime {

namespace {
struct HostLibrary {
  onnxc_host_run_fn run = nullptr;
  std::string failure;

  /// `needs`: what the message for its absence begins with.
  HostLibrary(const std::string &file, const std::string &needs) {
    // Beside the file that holds this code, in lib beside its folder, and where
    // the system searches.
    std::string folder;
    Dl_info info;
    if (dladdr(reinterpret_cast<void *>(&runHostOperator), &info) &&
        info.dli_fname) {
      folder = info.dli_fname;
      size_t slash = folder.rfind('/');
      folder = slash == std::string::npos ? "." : folder.substr(0, slash);
    }
    std::string searched;
    for (const std::string &path :
         {folder + "/" + file, folder + "/../lib/" + file, file}) {
      if (tryPath(path))
        return;
      const char *reason = dlerror();
      searched += (searched.empty() ? "" : "; ");
      searched += reason ? reason : path + " lacks " ONNXC_HOST_RUN_SYMBOL;
    }
    failure = needs + " " + file + ": " + searched;
  }

  bool tryPath(const std::string &path) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library)
      run = reinterpret_cast<onnxc_host_run_fn>(
          dlsym(library, ONNXC_HOST_RUN_SYMBOL));
    return run != nullptr;
  }
};
} // namespace

static const HostLibrary &libraryFor(const char *name) {
  if (!std::strcmp(name, "ImageDecoder")) {
    static const HostLibrary images(ONNXC_IMAGES_LIBRARY,
                                    "decoding images needs");
    return images;
  }
  static const HostLibrary strings(ONNXC_HOST_LIBRARY,
                                   "operators on strings need");
  return strings;
}

int32_t runHostOperator(const onnxc_host_call &call) {
  const HostLibrary &library = libraryFor(call.name);
  if (library.run)
    return library.run(&call);
  call.error->status = ONNXC_MODEL_RUNTIME_ERROR;
  std::snprintf(call.error->message, sizeof call.error->message, "%s",
                library.failure.c_str());
  return ONNXC_MODEL_RUNTIME_ERROR;
}

} // namespace onnxc::runtime
