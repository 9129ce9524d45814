//! The lines by which others know a new plugin: in the workspace, in the server's manifest and list, in the lock. Each
//! goes where its neighbours stand, in the order of their names. Text in, text out.

use anyhow::{Context, Result};

use super::template::TEMPLATE;

/// The root's manifest, in which the crate has its place.
pub(super) fn in_the_workspace(text: &str, name: &str) -> Result<String> {
    let line = format!("paymux-{name} = {{ path = \"plugins/paymux-{name}\" }}");
    let plugin = |line: &str| {
        let (name, rest) = line.strip_prefix("paymux-")?.split_once(" = { path = \"plugins/")?;
        rest.ends_with('}').then(|| name.to_owned())
    };
    inserted(text, plugin, name, &line)
}

/// The server's manifest, which depends on it.
pub(super) fn depended_on(text: &str, name: &str) -> Result<String> {
    let ours = |line: &str| Some(line.strip_prefix("paymux-")?.strip_suffix(".workspace = true")?.to_owned());
    inserted(text, ours, name, &format!("paymux-{name}.workspace = true"))
}

/// The server's list, which registers it.
pub(super) fn registered(text: &str, name: &str) -> Result<String> {
    let provider =
        |line: &str| Some(line.trim().strip_prefix("paymux_")?.strip_suffix("::provider(),")?.to_owned());
    inserted(text, provider, name, &format!("        paymux_{name}::provider(),"))
}

/// What cargo would write: a package with the template's dependencies, on which the server depends.
pub(super) fn locked(text: &str, name: &str) -> Result<String> {
    let own = |name: &str| format!("\nname = \"paymux-{name}\"\n");
    let mut blocks: Vec<String> = text.trim_end().split("\n\n").map(str::to_owned).collect();
    let template = blocks.iter().find(|block| block.contains(&own(TEMPLATE))).context("no sandbox in it")?;
    let made = template.replace(&own(TEMPLATE), &own(name));

    let server = blocks.iter_mut().find(|block| block.contains(&own("server"))).context("no server in it")?;
    let dependency = |line: &str| Some(line.strip_prefix(" \"paymux-")?.strip_suffix("\",")?.to_owned());
    *server = inserted(server, dependency, name, &format!(" \"paymux-{name}\","))?;

    let crate_name = format!("paymux-{name}");
    let later = |block: &String| package_of(block).is_some_and(|package| package > crate_name.as_str());
    let place = blocks.iter().position(later).unwrap_or(blocks.len());
    blocks.insert(place, made);
    Ok(format!("{}\n", blocks.join("\n\n")))
}

/// The package that a block of the lock is about.
fn package_of(block: &str) -> Option<&str> {
    block.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// The text with one line more, among the first lines that have a name, in the order of names.
fn inserted(text: &str, name_of: impl Fn(&str) -> Option<String>, name: &str, line: &str) -> Result<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| name_of(line).is_some());
    let first = first.with_context(|| format!("no line like `{}`", line.trim()))?;
    let neighbours = lines[first..].iter().map_while(|line| name_of(line));
    let place = first + neighbours.take_while(|neighbour| neighbour.as_str() < name).count();
    lines.insert(place, line);
    let end = if text.ends_with('\n') { "\n" } else { "" };
    Ok(format!("{}{end}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_among_its_neighbours() {
        check(
            "acme",
            "[a]\npaymux-acme.workspace = true\npaymux-core.workspace = true\npaymux-fufu.workspace = true\n",
        );
        check(
            "data",
            "[a]\npaymux-core.workspace = true\npaymux-data.workspace = true\npaymux-fufu.workspace = true\n",
        );
        check(
            "zeta",
            "[a]\npaymux-core.workspace = true\npaymux-fufu.workspace = true\npaymux-zeta.workspace = true\n",
        );

        #[track_caller]
        fn check(name: &str, want: &str) {
            let text = "[a]\npaymux-core.workspace = true\npaymux-fufu.workspace = true\n";
            let tests = "[dev]\npaymux-testkit.workspace = true\n";
            assert_eq!(depended_on(&format!("{text}{tests}"), name).unwrap(), format!("{want}{tests}"));
        }
    }

    #[test]
    fn the_list_keeps_its_form() {
        let list =
            "    vec![\n        paymux_fufu::provider(),\n        paymux_sandbox::provider(),\n    ]\n";
        let want = "    vec![\n        paymux_fufu::provider(),\n        paymux_probe::provider(),\n        \
                    paymux_sandbox::provider(),\n    ]\n";
        assert_eq!(registered(list, "probe").unwrap(), want);
    }

    #[test]
    fn the_workspace_names_its_folder() {
        let text = "paymux-core = { path = \"crates/paymux-core\" }\npaymux-fufu = { path = \"plugins/paymux-fufu\" }\n";
        let want = format!("{text}paymux-probe = {{ path = \"plugins/paymux-probe\" }}\n");
        assert_eq!(in_the_workspace(text, "probe").unwrap(), want);
    }

    #[test]
    fn the_lock_gets_what_the_template_has() {
        let lock = "version = 4\n\n[[package]]\nname = \"paymux-sandbox\"\nversion = \"0.1.0\"\ndependencies = [\n \"serde\",\n]\n\n\
                    [[package]]\nname = \"paymux-server\"\ndependencies = [\n \"paymux-core\",\n \"paymux-sandbox\",\n \"rand\",\n]\n\n\
                    [[package]]\nname = \"serde\"\n";
        let want = "version = 4\n\n[[package]]\nname = \"paymux-probe\"\nversion = \"0.1.0\"\ndependencies = [\n \"serde\",\n]\n\n\
                    [[package]]\nname = \"paymux-sandbox\"\nversion = \"0.1.0\"\ndependencies = [\n \"serde\",\n]\n\n\
                    [[package]]\nname = \"paymux-server\"\ndependencies = [\n \"paymux-core\",\n \"paymux-probe\",\n \"paymux-sandbox\",\n \"rand\",\n]\n\n\
                    [[package]]\nname = \"serde\"\n";
        assert_eq!(locked(lock, "probe").unwrap(), want);
    }

    #[test]
    fn what_is_not_as_expected_is_an_error() {
        for change in [in_the_workspace, depended_on, registered, locked] {
            assert!(change("fn main() {}\n", "probe").is_err());
        }
    }
}
