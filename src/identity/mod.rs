//! Who is asking: user and session of one request, and what the application says of it.

mod session;
mod tags;
mod user;

pub use session::Session;
pub use tags::Tags;
pub use user::User;
