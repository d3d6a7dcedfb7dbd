//===- ModelFile.h - From a file to a compiled model -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_MODELFILE_H
#define ONNXC_RUNTIME_SRC_MODELFILE_H

#include "Status.h"

#include <memory>
#include <string>

namespace onnxc::runtime {

/// A file descriptor that closes itself.
class File {
public:
  explicit File(int fd = -1) : fd(fd) {}
  File(File &&other) noexcept : fd(other.fd) { other.fd = -1; }
  File &operator=(File &&other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~File();
  int get() const { return fd; }

private:
  int fd;
};

struct Library;

/// A session's share in a loaded library, which stays loaded until the last
/// share is gone.
class LoadedModel {
public:
  explicit LoadedModel(Library &library) : library(library) {}
  ~LoadedModel();
  LoadedModel(const LoadedModel &) = delete;
  LoadedModel &operator=(const LoadedModel &) = delete;
  const onnxc_model *model() const;

private:
  Library &library;
};

/// Opens a file that should hold a compiled model.
Status openModelFile(const char *path, File &file);

/// Copies bytes into a file that exists in memory only.
Status makeMemoryFile(const void *data, size_t bytes, File &file);

/// Judges a library by its ELF headers and the note in it; nothing in it runs.
/// `name` is for the messages. `cpuFeatures` are those of this machine.
Status checkModelFile(const File &file, const std::string &name,
                      uint64_t cpuFeatures);

/// Loads a file that checkModelFile has accepted.
Status loadModel(File file, const std::string &name,
                 std::unique_ptr<LoadedModel> &loaded);

/// Whether the structure that a model hands out can be worked with.
Status checkModel(const onnxc_model *model, const std::string &name);

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_MODELFILE_H
