//! An Internet Gateway Device that is found by SSDP and asked by HTTP, in various moods.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

/// How a device behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    /// Does what it is asked.
    Obliging,
    /// Maps nothing for a limited time.
    PermanentOnly,
    /// This port is somebody else's.
    Taken(u16),
    /// Refuses every mapping with this code, and many words.
    Refusing(u16),
    /// Has a private address itself.
    Private,
    /// Describes itself by what is no XML.
    Garbage,
    /// By elements inside of each other.
    Deep,
    /// By a million bytes of the smallest elements.
    Flat,
    /// Without ever coming to an end.
    Endless,
    /// Says that it is found at another machine.
    Elsewhere,
}

/// A device on this machine.
pub(super) struct Device {
    ssdp: SocketAddr,
    mapped: Arc<Mutex<Vec<u16>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Device {
    pub(super) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let http = listener.local_addr().unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let ssdp = socket.local_addr().unwrap();
        let mapped = Arc::default();
        let tasks = [
            tokio::spawn(announce(socket, http, mood)),
            tokio::spawn(listen(listener, mood, Arc::clone(&mapped))),
        ];
        Self { ssdp, mapped, tasks }
    }

    /// Returns where it listens for searches.
    pub(super) const fn ssdp(&self) -> SocketAddr {
        self.ssdp
    }

    /// Returns the external ports that are mapped.
    pub(super) fn mapped(&self) -> Vec<u16> {
        self.mapped.lock().unwrap().clone()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn announce(socket: UdpSocket, http: SocketAddr, mood: Mood) {
    let mut search = [0; 2_000];
    loop {
        let (_, from) = socket.recv_from(&mut search).await.unwrap();
        let at = if mood == Mood::Elsewhere {
            SocketAddr::from(([127, 0, 0, 2], http.port()))
        } else {
            http
        };
        let found =
            format!("HTTP/1.1 200 OK\r\nST: {SERVICE}\r\nLOCATION: http://{at}/device.xml\r\n\r\n");
        socket.send_to(b"\xff\xfe no text", from).await.unwrap();
        socket.send_to(found.as_bytes(), from).await.unwrap();
    }
}

async fn listen(listener: TcpListener, mood: Mood, mapped: Arc<Mutex<Vec<u16>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // Whoever hangs up does not stop the device.
        tokio::spawn(serve(stream, mood, Arc::clone(&mapped)));
    }
}

async fn serve(mut stream: TcpStream, mood: Mood, mapped: Arc<Mutex<Vec<u16>>>) -> Option<()> {
    let request = read_request(&mut stream).await?;
    let (status, body) = match request.split_whitespace().nth(1)? {
        "/device.xml" if mood == Mood::Endless => return babble(stream).await,
        "/device.xml" => (200, description(mood)),
        "/service.xml" => (200, actions()),
        _ => {
            let mut mapped = mapped.lock().unwrap();
            act(&request, mood, &mut mapped)
        }
    };
    let head = format!(
        "HTTP/1.1 {status} .\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let read = stream.read_buf(&mut request).await.ok()?;
        let text = String::from_utf8_lossy(&request);
        let is_whole = match text.split_once("\r\n\r\n") {
            Some((head, body)) => {
                let mut headers = head.lines().filter_map(|line| line.split_once(": "));
                let len = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                body.len() >= len.map_or(0, |(_, len)| len.parse().unwrap())
            }
            None => false,
        };
        if is_whole || read == 0 {
            return Some(text.into_owned());
        }
    }
}

/// Sends an endless body until nobody listens.
async fn babble(mut stream: TcpStream) -> Option<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n<root>").await.ok()?;
    loop {
        stream.write_all(&[b' '; 4_096]).await.ok()?;
    }
}

fn description(mood: Mood) -> String {
    match mood {
        Mood::Garbage => "<root><device></root>&nonsense;".to_owned(),
        Mood::Deep => "<a>".repeat(300_000),
        Mood::Flat => format!("<root>{}</root>", "<a/>".repeat(260_000)),
        _ => format!(
            "<root xmlns='urn:schemas-upnp-org:device-1-0'><device><deviceList><device><deviceList>\
             <device><serviceList><service><serviceType>{SERVICE}</serviceType>\
             <SCPDURL>/service.xml</SCPDURL><controlURL>/control</controlURL></service></serviceList>\
             </device></deviceList></device></deviceList></device></root>"
        ),
    }
}

fn actions() -> String {
    let arguments = |names: &[&str]| -> String {
        let argument =
            |name| format!("<argument><name>{name}</name><direction>in</direction></argument>");
        names.iter().map(argument).collect()
    };
    let add = arguments(&[
        "NewRemoteHost",
        "NewExternalPort",
        "NewProtocol",
        "NewInternalPort",
        "NewInternalClient",
        "NewEnabled",
        "NewPortMappingDescription",
        "NewLeaseDuration",
    ]);
    let delete = arguments(&["NewRemoteHost", "NewExternalPort", "NewProtocol"]);
    format!(
        "<scpd><actionList>\
         <action><name>AddPortMapping</name><argumentList>{add}</argumentList></action>\
         <action><name>DeletePortMapping</name><argumentList>{delete}</argumentList></action>\
         <action><name>GetExternalIPAddress</name></action></actionList></scpd>"
    )
}

fn act(request: &str, mood: Mood, mapped: &mut Vec<u16>) -> (u16, String) {
    if request.contains("#GetExternalIPAddress") {
        let ip = if mood == Mood::Private { "192.168.7.1" } else { "5.2.0.1" };
        let answer = format!("<NewExternalIPAddress>{ip}</NewExternalIPAddress>");
        return done("GetExternalIPAddress", &answer);
    }
    let port = field(request, "NewExternalPort").parse().unwrap();
    if request.contains("#DeletePortMapping") {
        mapped.retain(|&mapped| mapped != port);
        return done("DeletePortMapping", "");
    }
    match mood {
        Mood::Refusing(code) => fault(code),
        Mood::PermanentOnly if field(request, "NewLeaseDuration") != "0" => fault(725),
        Mood::Taken(taken) if port == taken => fault(718),
        _ => {
            assert_eq!(field(request, "NewProtocol"), "UDP");
            assert_eq!(field(request, "NewPortMappingDescription"), "ZeroTier/8056c2e21c@40993");
            mapped.push(port);
            done("AddPortMapping", "")
        }
    }
}

fn field<'a>(request: &'a str, name: &str) -> &'a str {
    let (_, rest) = request.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0
}

fn done(action: &str, answer: &str) -> (u16, String) {
    (
        200,
        envelope(&format!("<u:{action}Response xmlns:u='{SERVICE}'>{answer}</u:{action}Response>")),
    )
}

fn fault(code: u16) -> (u16, String) {
    let words = "words ".repeat(10_000);
    let error =
        format!("<errorCode>{code}</errorCode><errorDescription>{words}</errorDescription>");
    let fault = "<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>";
    let detail = format!(
        "<detail><UPnPError xmlns='urn:schemas-upnp-org:control-1-0'>{error}</UPnPError></detail>"
    );
    (500, envelope(&format!("<s:Fault>{fault}{detail}</s:Fault>")))
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{body}</s:Body></s:Envelope>"
    )
}
