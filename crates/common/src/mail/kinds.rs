//! Kinds of mails.

/// Declares an enum of the kinds of mails of a service, with their names in the queue.
///
/// ```
/// common::mail_kinds! {
///     /// Kind of a mail.
///     pub enum MailKind {
///         /// Mail kind: greeting.
///         Greeting = "greeting",
///     }
/// }
/// assert_eq!(MailKind::NAMES, ["greeting"]);
/// assert_eq!(MailKind::parse("greeting"), Some(MailKind::Greeting));
/// assert_eq!(MailKind::Greeting.as_str(), "greeting");
/// ```
#[macro_export]
macro_rules! mail_kinds {
    ($(#[$about:meta])* $vis:vis enum $kinds:ident { $($(#[$doc:meta])* $kind:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $kinds { $($(#[$doc])* $kind,)* }

        impl $kinds {
            /// All kinds.
            $vis const ALL: &'static [Self] = &[$(Self::$kind),*];
            /// Names of the kinds in the queue.
            $vis const NAMES: &'static [&'static str] = &[$($name),*];

            /// Returns the kind of a name.
            $vis fn parse(name: &str) -> ::std::option::Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
            }

            /// Returns the name of the kind.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }
    };
}
