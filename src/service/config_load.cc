#include "service/config_load.h"

#include <cstring>
#include <set>

namespace ringtalk::service {
namespace {

std::string section_of(const std::string& key) {
  return key.substr(0, key.find('.'));
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + text;
  return result;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (;;) {
    const size_t comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

std::string toml_value(const ConfigKey& key, const Config& config) {
  const std::vector<std::string> texts = key.get(config);
  if (key.is_list) {
    std::string result = "[";
    for (const std::string& text : texts) {
      result += (result.size() > 1 ? ", " : "") + quoted(text);
    }
    return result + "]";
  }
  return key.is_switch || is_number(texts[0]) ? texts[0] : quoted(texts[0]);
}

}  // namespace

base::Status<ConfigError> assign(LoadedConfig& loaded, const std::vector<Assignment>& layer) {
  for (const Assignment& each : layer) {
    const ConfigKey* key = find_config_key(each.key);
    if (key == nullptr) {
      return base::Failure{ConfigError{each.origin + ": unknown key `" + each.key +
                                       "`; did you mean `" + nearest_config_key(each.key) + "`?"}};
    }
    if (each.texts.empty() || (!key->is_list && each.texts.size() != 1) ||
        !key->set(loaded.config, each.texts)) {
      return base::Failure{ConfigError{each.origin + ": `" + joined(each.texts) +
                                       "` is no value for " + each.key + " (" + key->meaning +
                                       "); it looks like " + key->shape}};
    }
    loaded.origins[each.key] = each.origin;
  }
  return base::Done{};
}

base::Result<std::vector<Assignment>, ConfigError> read_environment(char** environment) {
  std::vector<Assignment> layer;
  std::set<std::string> sections;
  for (const ConfigKey& key : config_keys()) {
    sections.insert("RINGTALK_" + upper(section_of(key.name)) + "_");
  }
  for (char** entry = environment; *entry != nullptr; entry++) {
    const char* equals = std::strchr(*entry, '=');
    if (equals == nullptr) continue;
    const std::string name(*entry, static_cast<size_t>(equals - *entry));
    const std::string origin = "environment " + name;
    bool ours = false;
    for (const std::string& section : sections) ours |= name.starts_with(section);
    if (!ours) continue;
    const ConfigKey* found = nullptr;
    for (const ConfigKey& key : config_keys()) {
      if (key.environment_name() == name) found = &key;
    }
    if (found == nullptr) {
      std::string spelled = name.substr(std::strlen("RINGTALK_"));
      for (char& c : spelled) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      spelled[spelled.find('_')] = '.';
      const ConfigKey* nearest = find_config_key(nearest_config_key(spelled));
      return base::Failure{
          ConfigError{origin + ": no such key; did you mean " + nearest->environment_name() + "?"}};
    }
    const std::string value = equals + 1;
    layer.push_back({found->name,
                     found->is_list ? split_at_commas(value) : std::vector<std::string>{value},
                     origin});
  }
  return layer;
}

base::Result<LoadedConfig, ConfigError> load_config(const CommandLine& line, char** environment) {
  LoadedConfig loaded;
  if (!line.file.empty()) {
    const auto layer = read_config_file(line.file);
    if (!layer) return base::Failure{layer.error()};
    const auto done = assign(loaded, *layer);
    if (!done) return base::Failure{done.error()};
  }
  const auto layer = read_environment(environment);
  if (!layer) return base::Failure{layer.error()};
  auto done = assign(loaded, *layer);
  if (!done) return base::Failure{done.error()};
  done = assign(loaded, line.assignments);
  if (!done) return base::Failure{done.error()};
  return loaded;
}

std::string print_config(const LoadedConfig& loaded) {
  // Sections in the order in which the table first names them.
  std::vector<std::string> sections;
  for (const ConfigKey& key : config_keys()) {
    const std::string section = section_of(key.name);
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  std::string text;
  for (const std::string& section : sections) {
    text += (text.empty() ? "[" : "\n[") + section + "]\n";
    for (const ConfigKey& key : config_keys()) {
      if (section_of(key.name) != section) continue;
      std::string line =
          key.name.substr(section.size() + 1) + " = " + toml_value(key, loaded.config);
      if (line.size() < 44) line.resize(44, ' ');
      const auto origin = loaded.origins.find(key.name);
      text += line + "  # " + (origin == loaded.origins.end() ? "built-in" : origin->second) + "\n";
    }
  }
  return text;
}

std::vector<std::string> take_reloadable(LoadedConfig& current, const LoadedConfig& fresh) {
  std::vector<std::string> lines;
  for (const ConfigKey& key : config_keys()) {
    const auto before = key.get(current.config);
    const auto after = key.get(fresh.config);
    if (before == after) continue;
    std::string line = key.name + ": " + joined(before) + " -> " + joined(after);
    if (key.reloadable) {
      key.set(current.config, after);
      current.origins[key.name] =
          fresh.origins.contains(key.name) ? fresh.origins.at(key.name) : std::string("built-in");
    } else {
      line += " waits for a restart";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace ringtalk::service
