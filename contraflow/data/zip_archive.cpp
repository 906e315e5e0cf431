#include "contraflow/data/zip_archive.h"

#include <zip.h>

#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/data/message.h"

namespace contraflow::data {

struct ZipArchive::Handle {
  Handle(const std::filesystem::path& path) : name(path.string()) {
    static_cast<void>(InputFile(path));  // says what is wrong with a path in our words
    int code = 0;
    archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
    if (archive != nullptr) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail(reason);
  }
  ~Handle() { zip_discard(archive); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[noreturn]] void fail(const std::string& got) const {
    contraflow::fail<IoError>("read_zip", name, "a zip archive of arrays", got,
                              "The file is cut off or damaged; write it again with numpy.savez().");
  }

  std::string name;
  zip_t* archive = nullptr;
};

namespace {

class ZipSource final : public ByteSource {
 public:
  ZipSource(std::shared_ptr<ZipArchive::Handle> handle, size_t member, std::string name)
      : handle_(std::move(handle)), member_(member), name_(std::move(name)) {
    rewind();
  }
  ~ZipSource() override { close(); }
  ZipSource(const ZipSource&) = delete;
  ZipSource& operator=(const ZipSource&) = delete;

  size_t read(std::span<char> out) override {
    const zip_int64_t count = zip_fread(file_, out.data(), out.size());
    if (count < 0) handle_->fail(in_quotes(name_) + ": " + zip_file_strerror(file_));
    return static_cast<size_t>(count);
  }
  double fraction_read() const override { return 0.0; }
  void rewind() override {
    close();
    file_ = zip_fopen_index(handle_->archive, member_, 0);
    if (file_ == nullptr) {
      handle_->fail(in_quotes(name_) + ": " + zip_strerror(handle_->archive));
    }
  }

 private:
  void close() {
    if (file_ != nullptr) zip_fclose(std::exchange(file_, nullptr));
  }

  std::shared_ptr<ZipArchive::Handle> handle_;
  size_t member_;
  std::string name_;
  zip_file_t* file_ = nullptr;
};

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& path)
    : handle_(std::make_shared<Handle>(path)) {
  const zip_int64_t count = zip_get_num_entries(handle_->archive, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(handle_->archive, static_cast<zip_uint64_t>(i), 0);
    members_.emplace_back(name == nullptr ? "" : name);
  }
}

std::unique_ptr<ByteSource> ZipArchive::open(size_t member) const {
  return std::make_unique<ZipSource>(handle_, member, members_[member]);
}

}  // namespace contraflow::data
