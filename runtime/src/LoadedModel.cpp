//===- LoadedModel.cpp - Loading a library that was judged -===//
#include "ModelFile.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace onnxc::runtime {

struct Library {
  dev_t device;
  ino_t inode;
  File file;
  void *handle;
  const onnxc_model *model;
  size_t users; // under the registry's lock
};

namespace {

/// The libraries loaded now, by file identity.
///
/// The loader takes a path that it has seen for the library it has seen, so a
/// model that is compiled anew under the same path while a session holds the
/// old one would give the old one again. Hence models are opened by descriptor;
/// a descriptor lives as long as its library, so that its number, which is part
/// of the name the loader sees, means nothing else meanwhile.
struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<Library>> libraries;

  static Registry &get() {
    static auto *registry = new Registry; // outlives every session
    return *registry;
  }
};

} // namespace

LoadedModel::~LoadedModel() {
  Registry &registry = Registry::get();
  std::lock_guard<std::mutex> lock(registry.mutex);
  if (--library.users != 0)
    return;
  dlclose(library.handle);
  for (auto it = registry.libraries.begin();; ++it) {
    if (it->get() == &library) {
      registry.libraries.erase(it);
      return;
    }
  }
}

const onnxc_model *LoadedModel::model() const { return library.model; }

/// What is wrong with a file whose headers were right.
static Status loadError(const std::string &name, const std::string &reason) {
  return makeStatus(ONNXC_STATUS_INVALID_MODEL,
                    "cannot load " + quoted(name.c_str()) + ": " + reason);
}

/// Loads a library that the registry does not have.
static Status openLibrary(File file, const std::string &name,
                          std::unique_ptr<Library> &library) {
  std::string path = "/proc/self/fd/" + std::to_string(file.get());
  if (access(path.c_str(), F_OK) != 0) // no /proc
    path = name.find('/') == std::string::npos ? "./" + name : name;
  auto result = std::make_unique<Library>();
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *message = dlerror();
    return loadError(name, message ? message : "dlopen failed");
  }
  auto getModel = reinterpret_cast<onnxc_get_model_fn>(
      dlsym(handle, ONNXC_GET_MODEL_SYMBOL));
  const onnxc_model *model = getModel ? getModel() : nullptr;
  Status status =
      getModel ? checkModel(model, name)
               : loadError(name, "it does not export " +
                                     std::string(ONNXC_GET_MODEL_SYMBOL));
  if (status) {
    dlclose(handle);
    return status;
  }
  result->file = std::move(file);
  result->handle = handle;
  result->model = model;
  library = std::move(result);
  return nullptr;
}

Status loadModel(File file, const std::string &name,
                 std::unique_ptr<LoadedModel> &loaded) {
  struct stat info;
  if (fstat(file.get(), &info) != 0)
    return loadError(name, strerror(errno));

  Registry &registry = Registry::get();
  std::lock_guard<std::mutex> lock(registry.mutex);
  Library *library = nullptr;
  for (const std::unique_ptr<Library> &known : registry.libraries)
    if (known->device == info.st_dev && known->inode == info.st_ino)
      library = known.get();
  if (!library) {
    registry.libraries.reserve(registry.libraries.size() + 1);
    std::unique_ptr<Library> opened;
    if (Status status = openLibrary(std::move(file), name, opened))
      return status;
    opened->device = info.st_dev;
    opened->inode = info.st_ino;
    library = opened.get();
    registry.libraries.push_back(std::move(opened));
  }
  loaded.reset(new LoadedModel(*library));
  ++library->users;
  return nullptr;
}

static bool areInfosSound(const onnxc_value_info *infos, size_t count) {
  if (count && !infos)
    return false;
  for (size_t i = 0; i < count; ++i)
    if (!infos[i].name || infos[i].rank > ONNXC_MAX_RANK ||
        (infos[i].rank > 0 && !infos[i].dims))
      return false;
  return true;
}

static bool areKernelsSound(const onnxc_kernel_info *kernels, size_t count) {
  if (count && !kernels)
    return false;
  for (size_t i = 0; i < count; ++i)
    if (!kernels[i].kind || !kernels[i].shapes ||
        (kernels[i].node_count && (!kernels[i].nodes || !kernels[i].operators)))
      return false;
  return true;
}

Status checkModel(const onnxc_model *model, const std::string &name) {
  if (!model || model->magic != ONNXC_MODEL_MAGIC)
    return loadError(name, "it does not hold a model");
  if (model->abi_version != ONNXC_ABI_VERSION ||
      model->struct_size < sizeof(onnxc_model))
    return makeStatus(ONNXC_STATUS_INCOMPATIBLE,
                      quoted(name.c_str()) + " was compiled for version " +
                          std::to_string(model->abi_version) +
                          " of the model ABI, this runtime has version " +
                          std::to_string(ONNXC_ABI_VERSION));
  if (!model->run || !model->plan ||
      !areInfosSound(model->inputs, model->input_count) ||
      !areInfosSound(model->outputs, model->output_count) ||
      !areKernelsSound(model->kernels, model->kernel_count) ||
      (model->metadata_count && !model->metadata))
    return loadError(name, "its description of the model is damaged");
  return nullptr;
}

} // namespace onnxc::runtime
