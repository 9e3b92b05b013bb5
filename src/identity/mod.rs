//! Who is asking: user and session of one request.

mod session;
mod user;

pub use session::Session;
pub use user::User;
