//! `chatwire-bindgen MODULE FOLDER [--keep-names]`: writes `chatwire.js` and `chatwire_bg.wasm` to a folder, made of a module as
//! the compiler left it. The same as `wasm-bindgen --target web --no-typescript --omit-default-module-path --out-name chatwire`.

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (module, folder, keep_names) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [module, folder] => (module, folder, false),
        [module, folder, "--keep-names"] => (module, folder, true),
        _ => {
            eprintln!("usage: chatwire-bindgen MODULE FOLDER [--keep-names]");
            return ExitCode::FAILURE;
        }
    };
    let mut bindgen = Bindgen::new();
    let made = bindgen
        .input_path(module)
        .out_name("chatwire")
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                .omit_default_module_path(true)
                .keep_debug(keep_names)
                .generate(folder)
        });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
