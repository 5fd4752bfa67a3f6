//! What joined networks may do to this machine, and what follows for it.

use std::collections::BTreeMap;

use zt_protocol::address::NetworkId;
use zt_protocol::event::NetworkStatus;
use zt_protocol::plan::{PlanChange, TunPlan};
use zt_protocol::prefix::Prefix;
use zt_protocol::settings::Settings;

/// The plans of all joined networks.
#[derive(Debug, Default)]
pub(crate) struct Plans(BTreeMap<NetworkId, Planned>);

/// What is planned for a network, and what the plan was made of.
#[derive(Debug)]
struct Planned {
    status: NetworkStatus,
    settings: Settings,
    plan: TunPlan,
}

impl Plans {
    /// Makes the plan of a network that was joined.
    pub(crate) fn insert(&mut self, status: NetworkStatus, settings: Settings) {
        let plan = TunPlan::new(&status, &settings);
        self.0.insert(status.id, Planned { status, settings, plan });
    }

    /// Forgets a network.
    pub(crate) fn remove(&mut self, network: NetworkId) {
        self.0.remove(&network);
    }

    /// Takes in what a network asks for; returns how much of its plan is news.
    pub(crate) fn ask(&mut self, status: &NetworkStatus) -> PlanChange {
        self.0.get_mut(&status.id).map_or(PlanChange::Nothing, |planned| {
            planned.status = status.clone();
            planned.renew()
        })
    }

    /// Takes in what the user allows a network; returns how much of its plan is news.
    pub(crate) fn allow(&mut self, network: NetworkId, settings: Settings) -> PlanChange {
        self.0.get_mut(&network).map_or(PlanChange::Nothing, |planned| {
            planned.settings = settings;
            planned.renew()
        })
    }

    /// Returns what the user allows a network, if it is joined.
    pub(crate) fn settings(&self, network: NetworkId) -> Option<&Settings> {
        self.0.get(&network).map(|planned| &planned.settings)
    }

    /// Returns the subnets of all networks.
    pub(crate) fn subnets(&self) -> Vec<Prefix> {
        let addresses = self.0.values().flat_map(|planned| &planned.status.addresses);
        addresses.map(|&(address, bits)| Prefix { address, bits }).collect()
    }

    /// Returns the plan of a network, if it is joined.
    pub(crate) fn plan(&self, network: NetworkId) -> Option<&TunPlan> {
        self.0.get(&network).map(|planned| &planned.plan)
    }
}

impl Planned {
    fn renew(&mut self) -> PlanChange {
        let plan = TunPlan::new(&self.status, &self.settings);
        let change = plan.diff(&self.plan);
        self.plan = plan;
        change
    }
}
