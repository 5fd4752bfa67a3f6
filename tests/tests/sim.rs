//! Stories in simulated worlds. Each says in its name what is so.

mod sim {
    mod bootstrap;
    mod determinism;
    mod hostile;
    mod idle;
    mod nats;
    mod networks;
    mod paths;
    mod private;
    mod restarts;
    mod scene;
    mod weather;
}
