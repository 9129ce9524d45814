//! What of a catalog the records of its decisions are read with: its routes with their channels in order, and of each
//! channel what filters and strategies look at. Kept once in the ledger for each content, under its digest; never
//! changed, so that a record of years ago is told as it was told then. Nothing secret is in it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::filter::{self, Occasion, Offer, Removal, Terms};
use super::record::{self, Record, RecordError};
use super::seed::{Seed, Tie};
use super::{Candidate, Decision, HealthRules};
use crate::catalog::{Catalog, ChannelEntry, Route, Rules, Strategy};
use crate::channel::{Descriptor, MethodSpec, Needs, OrderEnd};
use crate::ids::{ChannelId, RouteName};
use crate::method::{Method, MethodPattern};
use crate::money::{Currency, Money};

/// How many bytes of the SHA-256 of a content stand for it.
const DIGEST_BYTES: usize = 16;

/// Which content a version has: the first half of its SHA-256, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionDigest(String);

/// A text that is no such digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write the 32 hexadecimal digits of a version, in lower case")]
pub struct VersionDigestError;

impl VersionDigest {
    /// That of a content.
    pub fn of(content: &str) -> Self {
        let digest = Sha256::digest(content.as_bytes());
        let digits = digest.iter().take(DIGEST_BYTES).flat_map(|byte| [byte >> 4, byte & 0xf]);
        Self(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionDigest {
    type Err = VersionDigestError;

    fn from_str(text: &str) -> Result<Self, VersionDigestError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_form = text.len() == 2 * DIGEST_BYTES && text.bytes().all(is_digit);
        is_form.then(|| Self(text.to_owned())).ok_or(VersionDigestError)
    }
}

impl fmt::Display for VersionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VersionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one catalog routes by, ready to be kept.
#[derive(Debug)]
pub struct Version {
    digest: VersionDigest,
    content: String,
    /// Whether this process knows that the ledger has it.
    is_kept: AtomicBool,
}

impl Version {
    pub(crate) fn of(catalog: &Catalog) -> Self {
        // It is made of texts, numbers and lists alone: JSON has room for all of them.
        let content = serde_json::to_string(&Content::of(catalog)).unwrap_or_default();
        Self { digest: VersionDigest::of(&content), content, is_kept: AtomicBool::new(false) }
    }

    /// What stands for it in records.
    pub fn digest(&self) -> &VersionDigest {
        &self.digest
    }

    /// What the ledger keeps of it, for [`Past::read`].
    pub fn content(&self) -> &str {
        &self.content
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Acquire)
    }

    pub(crate) fn note_kept(&self) {
        self.is_kept.store(true, Ordering::Release);
    }
}

/// What some catalog routed by: its records are told with it.
#[derive(Debug)]
pub struct Past(Content);

impl Past {
    /// Reads the content of a version.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(content: &str) -> Result<Self, RecordError> {
        let content: Content =
            serde_json::from_str(content).map_err(|_| RecordError("its configuration is not readable"))?;
        Ok(Self(content))
    }

    /// Tells a record of a payment of that amount and method as it was told when it was made.
    ///
    /// # Errors
    /// When it is no record, or one of another configuration.
    pub fn tell(&self, record: &[u8], amount: Money, method: Method) -> Result<Decision, RecordError> {
        let routes = &self.0.routes;
        let record = Record::read(record, |route| Some(routes.get(route)?.channels.len()))?;
        let route = routes.get(record.route).ok_or(INCOMPLETE)?;
        let channels = route.channels.iter().map(|place| self.0.channels.get(*place).ok_or(INCOMPLETE));
        let channels: Vec<&KeptChannel> = channels.collect::<Result<_, _>>()?;
        let picked = channels.get(record.picked).map(|channel| &channel.id);
        let facts = record.facts;
        let occasion = Occasion {
            amount,
            method,
            expires_in: facts.expires_in,
            carries: facts.carries,
            region: facts.region,
            // A payment that is pinned goes where it is pinned to, if it goes anywhere.
            pin: picked,
            minute: facts.minute,
        };
        let candidates = channels.iter().enumerate();
        let candidates =
            candidates.map(|(place, channel)| self.candidate(place, channel, &record, &occasion));
        Ok(Decision {
            route: Some(route.name.clone()),
            strategy: Some(strategy(&route.strategy)),
            seed: Seed::new(record.seed),
            turn: record.turn,
            sticks_to: record.tie.map(Tie),
            probe_percent: matches!(record.figures, record::Figures::Rates(_))
                .then_some(self.0.health.probe_percent),
            picked: picked.cloned(),
            candidates: candidates.collect::<Result<_, _>>()?,
        })
    }

    fn candidate(
        &self,
        place: usize,
        channel: &KeptChannel,
        record: &Record<'_>,
        occasion: &Occasion<'_>,
    ) -> Result<Candidate, RecordError> {
        let number = record.outs.get(place).copied().unwrap_or(0);
        let removed_by = match number {
            0 => None,
            number => Some(self.removal(number, channel, occasion)?),
        };
        Ok(Candidate {
            channel: channel.id.clone(),
            eligible: removed_by.is_none(),
            removed_by,
            weight: Some(channel.weight),
            fee_bp: channel.fee_bp,
            collected_today: record.figures.collected(place),
            last_completed: record.last_completed.map(|last| last == Some(place)),
            success_ppm: record.figures.rate(place),
        })
    }

    fn removal(
        &self,
        number: u8,
        channel: &KeptChannel,
        occasion: &Occasion<'_>,
    ) -> Result<Removal, RecordError> {
        let out = record::out_of(number).ok_or(RecordError("a rule that this version does not know"))?;
        let offer = self.0.offers.get(channel.offer).ok_or(INCOMPLETE)?;
        let terms = Terms {
            id: &channel.id,
            methods: channel.methods.as_deref(),
            rules: &channel.rules,
            currencies: &offer.currencies,
            offer: offer.of_method(occasion.method),
        };
        let said = filter::removal_by(out, &terms, occasion, &self.0.health.rules());
        // What removed it is believed, whatever the rules are taken to mean today.
        Ok(said.unwrap_or_else(|| Removal::lasting(out.0.rule(), "by the rules of that time")))
    }
}

const INCOMPLETE: RecordError = RecordError("its configuration lacks what it names");

/// A word that is none of ours is the name of an embedder's own.
fn strategy(word: &str) -> Cow<'static, str> {
    Strategy::from_word(word).map_or_else(|| Cow::Owned(word.to_owned()), |known| Cow::Borrowed(known.word()))
}

/// A version as it is kept. A field that is added has a default for those that lack it.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    health: KeptHealth,
    /// What providers offer; what several channels have in common is here once.
    offers: Vec<KeptOffer>,
    channels: Vec<KeptChannel>,
    routes: Vec<KeptRoute>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptHealth {
    errors: u32,
    window_ms: u64,
    cooldown_ms: u64,
    probe_percent: u8,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptOffer {
    currencies: Vec<Currency>,
    methods: Vec<KeptMethod>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptMethod {
    method: Method,
    amount_min: i64,
    amount_max: i64,
    /// The names of the fields that a payment must carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    needs: Vec<Cow<'static, str>>,
    /// Where the provider's own timer ends an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timer: Option<KeptTimer>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "names in the ledger carry their unit")]
struct KeptTimer {
    min_ms: u64,
    max_ms: u64,
    step_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptChannel {
    id: ChannelId,
    /// A place in `offers`.
    offer: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<MethodPattern>>,
    weight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fee_bp: Option<u32>,
    rules: Rules,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptRoute {
    name: RouteName,
    /// The strategy's word, or the name of an embedder's own.
    strategy: Cow<'static, str>,
    /// Places in `channels`.
    channels: Vec<usize>,
}

impl Content {
    fn of(catalog: &Catalog) -> Self {
        let mut offers = Vec::new();
        let channels = catalog.channels().iter().map(|entry| KeptChannel::of(entry, &mut offers)).collect();
        let route = |route: &Route| KeptRoute {
            name: route.name.clone(),
            strategy: catalog
                .own_strategy(&route.name)
                .map_or(route.strategy.word(), |own| own.name())
                .into(),
            channels: route.channels.iter().copied().filter(|i| *i < catalog.channels().len()).collect(),
        };
        let routes = catalog.routes().iter().map(route).collect();
        Self { health: KeptHealth::of(&catalog.health), offers, channels, routes }
    }
}

impl KeptHealth {
    fn of(rules: &HealthRules) -> Self {
        Self {
            errors: rules.errors,
            window_ms: ms(rules.window),
            cooldown_ms: ms(rules.cooldown),
            probe_percent: rules.probe_percent,
        }
    }

    fn rules(&self) -> HealthRules {
        HealthRules {
            errors: self.errors,
            window: Duration::from_millis(self.window_ms),
            cooldown: Duration::from_millis(self.cooldown_ms),
            probe_percent: self.probe_percent,
            slow: None,
        }
    }
}

impl KeptChannel {
    fn of(entry: &ChannelEntry, offers: &mut Vec<KeptOffer>) -> Self {
        let offer = KeptOffer::of(entry.channel.descriptor());
        let place = offers.iter().position(|known| *known == offer).unwrap_or_else(|| {
            offers.push(offer);
            offers.len() - 1
        });
        Self {
            id: entry.id.clone(),
            offer: place,
            methods: entry.methods.clone(),
            weight: entry.weight,
            fee_bp: entry.fee_bp,
            rules: entry.rules.clone(),
        }
    }
}

impl KeptOffer {
    fn of(descriptor: &Descriptor) -> Self {
        Self {
            currencies: descriptor.currencies.clone(),
            methods: descriptor.methods.iter().map(KeptMethod::of).collect(),
        }
    }

    fn of_method(&self, method: Method) -> Option<Offer> {
        self.methods.iter().find(|kept| kept.method == method).map(KeptMethod::offer)
    }
}

impl KeptMethod {
    fn of(spec: &MethodSpec) -> Self {
        let needs = Needs::FIELDS.into_iter().filter(|(need, _)| spec.needs.has(*need));
        Self {
            method: spec.method,
            amount_min: *spec.amounts.start(),
            amount_max: *spec.amounts.end(),
            needs: needs.map(|(_, name)| name.into()).collect(),
            timer: match spec.end {
                OrderEnd::ProviderTimer { min, max, step, .. } => {
                    Some(KeptTimer { min_ms: ms(min), max_ms: ms(max), step_ms: ms(step) })
                }
                OrderEnd::Call { .. } | OrderEnd::None => None,
            },
        }
    }

    fn offer(&self) -> Offer {
        let needs =
            Needs::FIELDS.into_iter().filter(|(_, name)| self.needs.iter().any(|known| known == name));
        Offer {
            amounts: self.amount_min..=self.amount_max,
            needs: needs.fold(Needs::nothing(), |all, (need, _)| all | need),
            end: match &self.timer {
                Some(timer) => OrderEnd::ProviderTimer {
                    min: Duration::from_millis(timer.min_ms),
                    max: Duration::from_millis(timer.max_ms),
                    step: Duration::from_millis(timer.step_ms),
                    // Whoever tells a record asks for no order's end.
                    margin: Duration::ZERO,
                },
                None => OrderEnd::None,
            },
        }
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_what_it_prints() {
        let digest = VersionDigest::of("{}");
        assert_eq!(digest.as_str(), "44136fa355b3678a1146ad16f7e8649e", "as `printf {{}} | sha256sum` says");
        assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        for refused in ["", "44", "44136FA355B3678A1146AD16F7E8649E", "44136fa355b3678a1146ad16f7e8649g"] {
            assert_eq!(refused.parse::<VersionDigest>(), Err(VersionDigestError), "{refused}");
        }
        assert_ne!(VersionDigest::of("{ }"), digest);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for content in ["", "{}", "[]", r#"{"health":{},"offers":[],"channels":[],"routes":[]}"#] {
            let refused = Past::read(content).map(drop);
            assert_eq!(refused, Err(RecordError("its configuration is not readable")), "{content}");
        }
    }

    /// A version as the first one that kept any wrote it, and a record: they are read for ever.
    #[test]
    fn a_record_of_the_first_format_is_told() {
        let past = Past::read(
            r#"{"health":{"errors":5,"window_ms":30000,"cooldown_ms":15000,"probe_percent":5},
                "offers":[{"currencies":["CNY"],"methods":[{"method":"wechat.native","amount_min":1,
                    "amount_max":5000,"needs":["payer.ip"],"timer":{"min_ms":1,"max_ms":2,"step_ms":1}}]}],
                "channels":[{"id":"a","offer":0,"weight":3,"rules":{"currency":"CNY","hours":["22:00-06:00"]}},
                    {"id":"b","offer":0,"methods":["wechat.*"],"weight":1,"fee_bp":38,"rules":{"currency":"CNY"}}],
                "routes":[{"name":"all","strategy":"round-robin","channels":[0,1]}]}"#,
        )
        .unwrap();
        // Layout 1, with a turn; route 0, the second channel; seed 255, turn 300; the first one out by its hours; 20:00.
        let record = [1, 1, 0, 1, 255, 0, 0, 0, 0, 0, 0, 0, 0xac, 2, 24, 0, 0xb0, 9];
        let told = past.tell(&record, Money::fen(1000), "wechat.native".parse().unwrap()).unwrap();
        let want = serde_json::json!({
            "route": "all", "strategy": "round-robin", "seed": "00000000000000ff", "turn": 300, "picked": "b",
            "candidates": [
                {"channel": "a", "eligible": false, "weight": 3, "fee_bp": null,
                    "removed_by": {"rule": "hours", "detail": "20:00 is outside 22:00-06:00"}},
                {"channel": "b", "eligible": true, "weight": 1, "fee_bp": 38, "removed_by": null},
            ],
        });
        assert_eq!(serde_json::to_value(&told).unwrap(), want);
    }
}
