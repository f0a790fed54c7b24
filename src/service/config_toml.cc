#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "service/config_load.h"

namespace ringtalk::service {
namespace {

constexpr size_t kFileBytesMax = 1024 * 1024;

ConfigError at(const std::string& name, const toml::source_region& where, const std::string& what) {
  return {name + ":" + std::to_string(where.begin.line) + ": " + what};
}

// One value as the text that the key's own parser reads; nothing for what is no scalar.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  return {};
}

bool texts_of(const toml::node& node, std::vector<std::string>& texts) {
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& each : *array) {
      const auto text = text_of(each);
      if (!text) return false;
      texts.push_back(*text);
    }
    return true;
  }
  const auto text = text_of(node);
  if (text) texts.push_back(*text);
  return text.has_value();
}

}  // namespace

base::Result<std::vector<Assignment>, ConfigError> parse_config_text(const std::string& text,
                                                                     const std::string& name) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    return base::Failure{
        at(name, parsed.error().source(), std::string(parsed.error().description()))};
  }
  std::vector<Assignment> layer;
  for (const auto& [section, content] : parsed.table()) {
    const toml::table* table = content.as_table();
    if (table == nullptr) {
      return base::Failure{at(name, content.source(),
                              "`" + std::string(section.str()) +
                                  "` stands outside a section; write it under one, as [server]")};
    }
    for (const auto& [key, value] : *table) {
      Assignment each;
      each.key = std::string(section.str()) + "." + std::string(key.str());
      each.origin = name + ":" + std::to_string(value.source().begin.line);
      if (!texts_of(value, each.texts)) {
        const ConfigKey* known = find_config_key(each.key);
        return base::Failure{
            at(name, value.source(),
               each.key + " takes " +
                   (known != nullptr ? known->takes
                                     : "a text, a whole number, true, false or a list of these"))};
      }
      layer.push_back(std::move(each));
    }
  }
  return layer;
}

base::Result<std::vector<Assignment>, ConfigError> read_config_file(const std::string& path) {
  const auto refuse = [&path](const std::string& why) {
    return base::Failure{ConfigError{path + ": " + why + "; give --config a readable TOML file"}};
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return refuse(std::strerror(errno));
  std::string text;
  char part[16 * 1024];
  ssize_t got = 0;
  while (text.size() <= kFileBytesMax && (got = ::read(file, part, sizeof part)) > 0) {
    text.append(part, static_cast<size_t>(got));
  }
  const int error = errno;
  ::close(file);
  if (got < 0) return refuse(std::strerror(error));
  if (text.size() > kFileBytesMax) return refuse("longer than any configuration (1 MiB)");
  return parse_config_text(text, path);
}

}  // namespace ringtalk::service
