//! How many instructions does one sign take, and one routing decision? Counted from outside: this program does one
//! operation as often as it is told, and whoever counts runs it twice and takes the difference, so that making the
//! catalog and starting the process drop out.
//!
//! `instructions OPERATION TIMES` does it; `instructions` alone lists the operations.

#[expect(dead_code, reason = "the plain version is timed and not counted")]
mod routing;
#[expect(dead_code, reason = "the plain versions are timed and not counted")]
mod signs;

use std::error::Error;
use std::hint::black_box;

use paymux_core::catalog::Strategy;
use paymux_core::ids::AppId;
use paymux_core::router::{Router, Sheet};
use paymux_testkit::Want;

use routing::{catalog, channels};

/// Name, routes, channels.
const ROUTES: [(&str, usize, usize); 4] = [
    ("route/3 channels", 1, 3),
    ("route/100 channels", 1, 100),
    ("route/1000 channels", 1, 1000),
    ("route/101 rules", 101, 3),
];

#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(operation) = arguments.next() else {
        for operation in operations() {
            println!("{operation}");
        }
        return Ok(());
    };
    let times = arguments.next().ok_or("how often? give a number behind the operation")?.parse()?;
    repeat(&operation, times)
}

fn operations() -> impl Iterator<Item = String> {
    let signs = signs::SCHEMES.iter().map(|scheme| format!("sign/{}", scheme.name));
    let routes = ROUTES.iter().map(|(name, ..)| (*name).to_owned());
    signs.chain(["sign/verify".to_owned()]).chain(routes)
}

fn repeat(operation: &str, times: u64) -> Result<(), Box<dyn Error>> {
    if operation == "sign/verify" {
        (0..times).for_each(|_| assert!(signs::verified()));
        return Ok(());
    }
    let name = operation.strip_prefix("sign/");
    if let Some(scheme) = signs::SCHEMES.iter().find(|scheme| Some(scheme.name) == name) {
        for _ in 0..times {
            black_box((scheme.paymux)());
        }
        return Ok(());
    }
    let route = ROUTES.iter().find(|(name, ..)| *name == operation);
    let (_, routes, channels_count) = route.ok_or_else(|| format!("no operation `{operation}`"))?;
    choose(*routes, *channels_count, times)
}

/// The same payment again and again, each time with another seed.
fn choose(routes: usize, channels_count: usize, times: u64) -> Result<(), Box<dyn Error>> {
    let catalog = catalog(routes, channels(channels_count)?, Strategy::Weighted)?;
    let (app, want) = (AppId::new("shop")?, Want::new()?);
    let ask = want.ask(&catalog, &app);
    let (router, mut sheet) = (Router::new(&catalog), Sheet::default());
    for seed in 0..times {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        assert!(router.choose(black_box(&ask), &[], seed, &mut sheet).is_some());
    }
    Ok(())
}
