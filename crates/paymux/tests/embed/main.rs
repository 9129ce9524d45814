//! The facade as another service uses it.

#[cfg(test)]
mod embedded;
