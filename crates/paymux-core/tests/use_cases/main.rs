//! Use cases over scripted channels, with time that nobody waits for.

#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod create;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod world;
