#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "harness/agent/scaffold.h"
#include "harness/cli/command.h"
#include "inference/catalog/catalog.h"
#include "inference/model.h"
#include "inference/models/embedded_model.h"

namespace trialwright {

/// The flags that choose how a model runs: --threads, --context, --device, --draft-model,
/// --cache-file and --no-guesses.
std::vector<Flag> engine_flags();
/// The flags that change how tokens are chosen: --temperature, --top-k and so on.
std::vector<Flag> sampling_flags();

/// What they say, without a name. Errors: Invalid, naming the flag; NotFound as `model_file`.
Result<EmbeddedModelOptions> read_model_options(const Arguments& arguments);

/// `sampling` with what the flags say put over it. Errors: Invalid, naming the flag.
Result<Sampling> read_sampling(const Arguments& arguments, Sampling sampling);

/// Where pulled models lie.
std::filesystem::path models_folder();
/// The bundled manifest with the user's own over it.
Result<Catalog> user_catalog();
/// The file of a model that is named, or is a file itself. Errors: as resolve_model.
Result<std::filesystem::path> model_file(const std::string& name);

/// The last part of a model's path; a folder has one even if a slash or a dot ends its path.
std::filesystem::path last_part(const std::filesystem::path& path);

/// The same model's name from any folder: files become absolute paths.
std::string rooted_model_name(const std::string& name);

/// True for `http://HOST/v1#NAME` and the like: a model that somebody else runs.
bool is_endpoint(const std::string& name);

/// Checks an endpoint that a run's file names before anything, such as the key, is sent to it:
/// files come from other people too. One on this machine is fine, any other must be named by
/// --model as well. Errors: Invalid.
Result<void> check_recorded_endpoint(const std::string& name, const Arguments& arguments);

/// Opens what --model names: a name of the manifest, a GGUF file, `http://HOST/v1#NAME` for an
/// OpenAI-compatible endpoint (its key in TRIALWRIGHT_API_KEY), or `scripted:FILE.jsonl`.
/// Errors: NotFound with the command that pulls it, if the manifest's model is not there yet.
Result<std::unique_ptr<Model>> open_model(const std::string& name,
                                          const EmbeddedModelOptions& options);

/// The protocol a scaffold asks for, with "auto" settled: what the manifest recommends for the
/// model, else native if its template has tools.
ToolProtocol settled_protocol(ToolProtocol asked, const std::string& name,
                              const ModelIdentity& identity);

}  // namespace trialwright
