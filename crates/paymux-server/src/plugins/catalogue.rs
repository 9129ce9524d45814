//! What is written about providers for people, made of what the plugins say of themselves: the README's table of
//! channels, and every setting in `config/example.toml`. `cargo xtask codegen` writes both; where a file says
//! something else, a test here fails. Another holds the plugins to the schema of their settings.
//!
//! A plugin whose manifest says `draft = true` speaks to no provider yet, and is left out of what is written.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use paymux_core::acceptor::Acceptor;
use paymux_core::channel::{Can, Descriptor, MethodSpec, OrderEnd};
use paymux_core::provider::{ChannelSite, SettingError, SettingKey, SettingKind, Settings, sample_settings};
use paymux_core::{Channel, ChannelId, Product, Provider, Wallet};
use serde_json::{Value, json};

use super::providers;

/// Set by `cargo xtask codegen`: what differs is written and not told.
const CODEGEN: &str = "PAYMUX_CODEGEN";

/// A part of a file that nobody writes by hand: all between two lines.
struct Part {
    file: &'static str,
    begin: &'static str,
    end: &'static str,
}

const TABLE: Part = Part {
    file: "README.md",
    begin: "<!-- written by `cargo xtask codegen` from what the plugins say of themselves -->\n",
    end: "<!-- as far as here -->\n",
};

const EXAMPLE: Part = Part {
    file: "config/example.toml",
    begin: "# Written by `cargo xtask codegen` from what the plugins say of their settings.\n",
    end: "# As far as here.\n",
};

impl Part {
    fn path(&self) -> PathBuf {
        root().join(self.file)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The file with `made` in that place.
    fn with(&self, text: &str, made: &str) -> String {
        let (before, rest) = text.split_once(self.begin).expect("the line that begins the part");
        let (_, after) = rest.split_once(self.end).expect("the line that ends the part");
        format!("{before}{}{made}{}{after}", self.begin, self.end)
    }

    /// Writes it where that is asked for; else it must be there.
    fn holds(&self, made: &str) {
        let (is, should) = (self.text(), self.with(&self.text(), made));
        if codegen_is_asked_for() {
            fs::write(self.path(), should).unwrap();
        } else {
            assert!(
                is == should,
                "{} is not what the plugins say; run: cargo xtask codegen\n{made}",
                self.file
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch of the developer's tool, no setting of the service")]
fn codegen_is_asked_for() -> bool {
    std::env::var_os(CODEGEN).is_some()
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The providers that speak to somebody.
fn finished() -> impl Iterator<Item = Arc<dyn Provider>> {
    providers().into_iter().filter(|provider| !is_draft(provider.slug()))
}

fn is_draft(slug: &str) -> bool {
    let manifest = fs::read_to_string(root().join(page(slug)).with_file_name("Cargo.toml")).unwrap();
    let manifest: toml_edit::DocumentMut = manifest.parse().unwrap();
    let mark = |item: &toml_edit::Item| item.get("metadata")?.get("paymux")?.get("draft")?.as_bool();
    mark(&manifest["package"]).unwrap_or(false)
}

fn page(slug: &str) -> String {
    format!("plugins/paymux-{slug}/README.md")
}

fn channel(provider: &dyn Provider, settings: Settings) -> Result<Arc<dyn Channel>, Vec<SettingError>> {
    provider.channel(ChannelSite { id: ChannelId::new("example").unwrap() }, settings)
}

#[test]
fn the_readme_has_the_channels_that_there_are() {
    let mut table = String::from(
        "| provider | methods | query | cancel | refund | pay out | reconcile | money | read about it |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for provider in finished() {
        let of_samples =
            channel(provider.as_ref(), sample_settings(provider.settings(), Settings::new())).unwrap();
        table.push_str(&row(of_samples.descriptor()));
    }
    TABLE.holds(&table);
}

/// What an account can do that is set up with what it must have and nothing else.
fn row(descriptor: &Descriptor) -> String {
    let can = |what| if descriptor.can.has(what) { "yes" } else { "no" };
    let cells = [
        format!("`{}`", descriptor.provider),
        methods(&descriptor.methods.iter().collect::<Vec<_>>()),
        can(Can::QUERY).to_owned(),
        cancel(descriptor),
        refund(descriptor),
        can(Can::TRANSFER).to_owned(),
        can(Can::LIST | Can::LIST_REFUNDS).to_owned(),
        if descriptor.livemode { "real" } else { "test" }.to_owned(),
        format!("[plugins/paymux-{0}]({1})", descriptor.provider, page(descriptor.provider)),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// Wallets with their products; those with the same products stand together.
fn methods(specs: &[&MethodSpec]) -> String {
    let mut groups: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for wallet in Wallet::ALL {
        let has = |product: &Product| {
            specs.iter().any(|spec| spec.method.wallet == *wallet && spec.method.product == *product)
        };
        let products: Vec<&str> = Product::ALL.iter().copied().filter(has).map(Product::word).collect();
        match groups.iter_mut().find(|(_, same)| *same == products) {
            _ if products.is_empty() => {}
            Some((wallets, _)) => wallets.push(wallet.word()),
            None => groups.push((vec![wallet.word()], products)),
        }
    }
    match groups.as_slice() {
        [(wallets, products)]
            if (wallets.len(), products.len()) == (Wallet::ALL.len(), Product::ALL.len()) =>
        {
            "every wallet with every product".to_owned()
        }
        groups => {
            let told = groups
                .iter()
                .map(|(wallets, products)| format!("{}: {}", wallets.join(", "), products.join(", ")));
            told.collect::<Vec<_>>().join("; ")
        }
    }
}

/// Whether orders are ended by a call: all of them, none, or which.
fn cancel(descriptor: &Descriptor) -> String {
    let by_call = |spec: &&MethodSpec| matches!(spec.end, OrderEnd::Call { .. });
    let ended: Vec<&MethodSpec> = descriptor.methods.iter().filter(by_call).collect();
    match ended.len() {
        _ if !descriptor.can.has(Can::CANCEL) => "no".to_owned(),
        count if count == descriptor.methods.len() => "yes".to_owned(),
        _ => methods(&ended),
    }
}

fn refund(descriptor: &Descriptor) -> String {
    match descriptor.refunds_per_order {
        _ if !descriptor.can.has(Can::REFUND) => "no".to_owned(),
        Some(count) => format!("yes, {count} an order"),
        None => "yes".to_owned(),
    }
}

#[test]
fn the_example_shows_every_setting_with_its_help() {
    let made: String = finished().map(|provider| shown(provider.as_ref())).collect();
    EXAMPLE.holds(&made);
}

/// A provider's settings as comments: prose after a blank, what can be taken over without one.
fn shown(provider: &dyn Provider) -> String {
    let slug = provider.slug();
    let mut text = format!("#\n# {slug}: {}\n#[channels.settings]\n", page(slug));
    show(&mut text, slug, provider.settings());
    if let Some(acceptor) = served(provider) {
        let _ =
            write!(text, "#\n# {slug} as a front: an app that speaks this protocol\n#[apps.compat.{slug}]\n");
        show(&mut text, slug, acceptor.settings());
    }
    text
}

fn show(text: &mut String, slug: &str, keys: &[SettingKey]) {
    for key in keys {
        let value = if key.secret {
            format!("{{ env = \"{}_{}\" }}", slug.to_uppercase(), key.name.to_uppercase())
        } else {
            written(&key.sample())
        };
        let _ = write!(text, "# {}\n#{} = {value}\n", key.help(), key.name);
    }
}

/// A sample as TOML: its texts, numbers and flags are written as in JSON.
fn written(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}

/// The server side, where it is served to more than simulators.
fn served(provider: &dyn Provider) -> Option<Arc<dyn Acceptor>> {
    provider.acceptor().filter(|acceptor| !acceptor.trees().is_empty())
}

/// Takes the comments off and reads each table: what is shown can be taken over as it is.
#[test]
fn what_the_example_shows_is_taken() {
    for provider in providers() {
        let shown = shown(provider.as_ref());
        let lines = shown.lines().filter_map(|line| line.strip_prefix('#'));
        let code: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
        let table: toml_edit::DocumentMut = code.join("\n").parse().unwrap();
        let names = |item: &toml_edit::Item| -> Vec<String> {
            item.as_table().unwrap().iter().map(|(name, _)| name.to_owned()).collect()
        };
        let of =
            |keys: &[SettingKey]| -> Vec<String> { keys.iter().map(|key| key.name.to_owned()).collect() };
        assert_eq!(names(&table["channels"]["settings"]), of(provider.settings()));
        if let Some(acceptor) = served(provider.as_ref()) {
            assert_eq!(names(&table["apps"]["compat"][provider.slug()]), of(acceptor.settings()));
        }
    }
}

/// The schema is no promise beside the code: what it says must be there is asked for, with its help; its samples are
/// taken; nothing of another kind is.
#[test]
fn plugins_keep_to_the_schema_of_their_settings() {
    for provider in providers() {
        let slug = provider.slug();
        let judge = |settings| channel(provider.as_ref(), settings).err().unwrap_or_default();
        keeps(&format!("{slug}'s channel"), provider.settings(), judge);
        if let Some(acceptor) = provider.acceptor() {
            keeps(&format!("{slug}'s front"), acceptor.settings(), |settings| {
                acceptor.check_settings(&settings)
            });
        }
    }
}

fn keeps(what: &str, keys: &[SettingKey], judge: impl Fn(Settings) -> Vec<SettingError>) {
    let least = sample_settings(keys, Settings::new());
    assert_eq!(judge(least.clone()), [], "{what}: what must be there is enough");
    for key in keys {
        let about = format!("{what}, `{}`", key.name);
        assert!(
            !key.about.is_empty() && !key.about.contains("default"),
            "{about}: help, without the default"
        );
        let with = |value| sample_settings(keys, Settings::from_iter([(key.name.to_owned(), value)]));
        for good in goods(key) {
            assert_eq!(judge(with(good.clone())), [], "{about}: {good} is taken");
        }
        for bad in bads(key.kind) {
            let told = judge(with(bad.clone()));
            assert!(told.iter().any(|error| error.key == key.name), "{about}: {bad}: {told:?}");
        }
        if key.is_required(&least) {
            let told = judge(changed(&least, |settings| settings.remove(key.name)));
            let is_told = |error: &SettingError| error.key == key.name && error.rule.contains(key.about);
            assert!(told.iter().any(is_told), "{about}: absent: {told:?}");
        }
    }
    let told = judge(changed(&least, |settings| settings.insert("no_such_key".to_owned(), json!(1))));
    let [error] = told.as_slice() else { panic!("{what}: {told:?}") };
    assert!(keys.iter().all(|key| error.rule.contains(key.name)), "{what}: the known keys are told: {error}");
}

/// What may stand there, as far as the schema says it all.
fn goods(key: &SettingKey) -> Vec<Value> {
    match key.kind {
        SettingKind::Flag => vec![json!(true), json!(false)],
        SettingKind::Count { min, max } => vec![json!(min), json!(max), key.sample()],
        SettingKind::Choice { words } => words.iter().map(|word| json!(word)).collect(),
        _ => vec![key.sample()],
    }
}

/// What may not: another kind of value for each, and what is just outside where there is an outside.
fn bads(kind: SettingKind) -> Vec<Value> {
    let mut bads = vec![json!({"a": [1]}), json!(-1), json!("")];
    match kind {
        SettingKind::Count { min, max } => {
            bads.extend([json!(i64::from(min) - 1), json!(i64::from(max) + 1), json!(true)]);
        }
        SettingKind::Choice { .. } => bads.extend([json!("no-such-word"), json!(true)]),
        SettingKind::Flag => bads.extend([json!("true"), json!(1)]),
        SettingKind::Address | SettingKind::Addresses => {
            bads.extend([json!("ftp://gateway.example.com"), json!("gateway.example.com"), json!(true)]);
        }
        SettingKind::Text | SettingKind::Words => bads.push(json!(true)),
    }
    bads
}

fn changed(settings: &Settings, change: impl FnOnce(&mut Settings) -> Option<Value>) -> Settings {
    let mut settings = settings.clone();
    change(&mut settings);
    settings
}

#[test]
fn a_part_is_all_between_its_lines() {
    let part = Part { file: "a", begin: "<\n", end: ">\n" };
    assert_eq!(part.with("a\n<\nold\n>\nb\n", "new\n"), "a\n<\nnew\n>\nb\n");
    assert_eq!(part.with("<\n>\n", ""), "<\n>\n");
}
