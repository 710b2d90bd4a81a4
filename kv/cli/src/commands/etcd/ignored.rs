//! Flags of etcd that have no meaning on one node. Start scripts that have them run all the same.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// What was given and has no effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignored(pub(crate) Vec<&'static str>);

const NAMES: [&str; 57] = [
    "listen-peer-urls",
    "initial-cluster",
    "initial-cluster-state",
    "strict-reconfig-check",
    "pre-vote",
    "heartbeat-interval",
    "election-timeout",
    "initial-election-tick-advance",
    "snapshot-count",
    "max-snapshots",
    "max-wals",
    "wal-dir",
    "backend-batch-interval",
    "backend-batch-limit",
    "backend-bbolt-freelist-type",
    "experimental-backend-bbolt-freelist-type",
    "enable-v2",
    "enable-grpc-gateway",
    "proxy",
    "discovery",
    "discovery-srv",
    "discovery-proxy",
    "discovery-fallback",
    "peer-cert-file",
    "peer-key-file",
    "peer-client-cert-auth",
    "peer-trusted-ca-file",
    "peer-crl-file",
    "peer-auto-tls",
    "peer-cert-allowed-cn",
    "peer-skip-client-san-verification",
    "client-crl-file",
    "cipher-suites",
    "tls-min-version",
    "tls-max-version",
    "cors",
    "host-whitelist",
    "auth-token",
    "auth-token-ttl",
    "bcrypt-cost",
    "logger",
    "log-level",
    "log-outputs",
    "log-format",
    "log-package-levels",
    "debug",
    "enable-pprof",
    "metrics",
    "force-new-cluster",
    "socket-reuse-port",
    "socket-reuse-address",
    "grpc-keepalive-min-time",
    "experimental-initial-corrupt-check",
    "experimental-corrupt-check-time",
    "experimental-enable-lease-checkpoint",
    "experimental-enable-lease-checkpoint-persist",
    "experimental-warning-apply-duration",
];

impl Args for Ignored {
    fn augment_args(command: Command) -> Command {
        NAMES.into_iter().fold(command, |command, name| {
            let flag = Arg::new(name).long(name).hide(true).action(ArgAction::Append);
            command.arg(flag.num_args(0..=1).default_missing_value("true"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Ignored {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(NAMES.into_iter().filter(|name| matches.contains_id(name)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
