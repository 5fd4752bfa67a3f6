//! Which keys the user means, and which were there first, as files of a [`Home`].

use zt_protocol::address::Address;
use zt_protocol::event::StoreKey;
use zt_protocol::fingerprint::{Expected, FingerprintError};
use zt_protocol::pins::Pins;

use super::{Home, HomeError, hex_name};

impl Home {
    /// Reads which keys hold which addresses.
    ///
    /// # Errors
    ///
    /// [`HomeError::Pin`] if a pin cannot be understood: the node would take whoever comes for whom
    /// the user means. Those seen first are left out if they cannot be.
    pub fn pins(&self) -> Result<Pins, HomeError> {
        let mut pins = Pins::new();
        for name in self.place.names("pins.d/")? {
            if let Some(address) = hex_name(&name, ".pin", 10).map(Address::from_u64) {
                let key = StoreKey::Pin(address);
                let expected = self.expected(key)?.map_err(|why| {
                    let path = self.path(key);
                    HomeError::Pin { path, why }
                })?;
                if !pins.pin(address, expected) {
                    return Err(HomeError::TooManyPins(self.place.path("pins.d")));
                }
            } else if let Some(address) = hex_name(&name, ".seen", 10).map(Address::from_u64) {
                let key = StoreKey::FirstSeen(address);
                match self.expected(key)? {
                    Ok(Expected::Full(seen)) => drop(pins.see(address, seen)),
                    Ok(Expected::Short(_)) | Err(_) => {
                        log::warn!(file:? = self.path(key); "whoever was there first is forgotten");
                    }
                }
            }
        }
        pins.require(self.load(StoreKey::RequirePinned)?.is_some());
        Ok(pins)
    }

    /// Pins an address, for a node that is not running. What its holder may have configured as a
    /// controller of networks is asked for anew, unless this was pinned before.
    ///
    /// # Errors
    ///
    /// [`HomeError`]; nothing has changed.
    pub fn pin(&self, address: Address, expected: Expected) -> Result<(), HomeError> {
        let mut pins = self.pins()?;
        let before = pins.expected(address);
        if !pins.pin(address, expected) {
            return Err(HomeError::TooManyPins(self.place.path("pins.d")));
        }
        if before != Some(expected) {
            let networks = self.networks()?.into_iter();
            for network in networks.filter(|network| network.controller() == address) {
                self.save(StoreKey::Network(network), Some(b"\n"))?;
            }
        }
        self.save(StoreKey::Pin(address), Some(format!("{expected}\n").as_bytes()))?;
        self.save(StoreKey::FirstSeen(address), None)
    }

    /// Takes a pin back and forgets who was first seen at `address`, for a node that is not
    /// running; returns whether there was either.
    ///
    /// # Errors
    ///
    /// [`HomeError`].
    pub fn unpin(&self, address: Address) -> Result<bool, HomeError> {
        let was_there = self.pins()?.remove(address);
        self.save(StoreKey::Pin(address), None)?;
        self.save(StoreKey::FirstSeen(address), None)?;
        Ok(was_there)
    }

    /// Sets whether nobody but roots may be a peer who is not pinned, for a node that is not
    /// running.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn require_pinned(&self, required: bool) -> Result<(), HomeError> {
        self.save(StoreKey::RequirePinned, required.then_some(b"\n"))
    }

    fn expected(&self, key: StoreKey) -> Result<Result<Expected, FingerprintError>, HomeError> {
        let bytes = self.load(key)?.unwrap_or_default();
        Ok(str::from_utf8(&bytes).unwrap_or_default().trim().parse())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use zt_protocol::address::NetworkId;
    use zt_protocol::fingerprint::Fingerprint;

    use super::*;

    /// A controller that was there first has configured a network; the pin is another's.
    #[test]
    fn a_pin_displaces_who_was_there_first_and_what_they_configured() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        let address = Address::from_u64(0x80_56c2_e21c);
        let network = NetworkId::new(address, 1);
        let elsewhere = NetworkId::new(Address::from_u64(7), 1);
        let [first, right] = [1, 2].map(|byte| Fingerprint([byte; 48]));
        home.save(StoreKey::FirstSeen(address), Some(first.to_string().as_bytes())).unwrap();
        home.save(StoreKey::Network(network), Some(b"theirs")).unwrap();
        home.save(StoreKey::Network(elsewhere), Some(b"others'")).unwrap();
        assert_eq!(home.pins().unwrap().seen(address), Some(first));

        home.pin(address, first.into()).unwrap();
        assert_eq!(home.load(StoreKey::Network(network)).unwrap(), Some(b"theirs".to_vec()));
        home.pin(address, right.into()).unwrap();

        let pins = home.pins().unwrap();
        assert_eq!(pins.pinned().collect::<Vec<_>>(), [(address, right.into())]);
        assert_eq!(pins.seen(address), None);
        assert_eq!(home.load(StoreKey::Network(network)).unwrap(), Some(b"\n".to_vec()));
        assert_eq!(home.load(StoreKey::Network(elsewhere)).unwrap(), Some(b"others'".to_vec()));
        assert!(home.unpin(address).unwrap() && !home.unpin(address).unwrap());
        assert_eq!(home.pins().unwrap(), Pins::new());

        // Who was there first can be learned again, who is meant cannot.
        fs::write(dir.path().join("pins.d/8056c2e21c.seen"), b"").unwrap();
        assert_eq!(home.pins().unwrap(), Pins::new());
        fs::write(dir.path().join("pins.d/8056c2e21c.pin"), b"").unwrap();
        assert!(matches!(home.pins(), Err(HomeError::Pin { .. })));
    }
}
