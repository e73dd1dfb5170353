//! Which functions of the C the client can reach without going through the server's side: the graph of what refers to what,
//! from the relocations of the object files, in which every function and every table is a section of its own.
//!
//! 1. It begins with the functions whose names stand in the source of the client (zig/, rust/hybrid, rust/swaps), in whatever
//!    sense: too many are no harm.
//! 2. It does not enter the files of [`SERVER_SIDE`], but for the functions of [`ENTERED`], which run in a client too.
//! 3. What is linked and not reached so is the server's: every way to it leads through one of those files.
//! 4. The same without the functions of [`R_UDP`] says what is there for R-UDP alone.

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files of Cedar that are the server, the hub and its protocols, bridges, routers, SoftEther's own client service and tools.
const SERVER_SIDE: &[&str] = &[
    "Admin",
    "AzureClient",
    "AzureServer",
    "Bridge",
    "BridgeUnix",
    "CM",
    "Client",
    "Command",
    "Console",
    "DDNS",
    "Database",
    "EM",
    "EtherLog",
    "Hub",
    "IPC",
    "Layer3",
    "Link",
    "Listener",
    "NM",
    "Nat",
    "NativeStack",
    "NullLan",
    "Proto",
    "Proto_EtherIP",
    "Proto_IKE",
    "Proto_IPsec",
    "Proto_IkePacket",
    "Proto_L2TP",
    "Proto_OpenVPN",
    "Proto_PPP",
    "Proto_SSTP",
    "Proto_Win7",
    "Radius",
    "Remote",
    "SM",
    "SW",
    "SeLowUser",
    "SecureNAT",
    "Server",
    "UT",
    "VG",
    "Virtual",
    "WebUI",
    "Wpc",
];

/// Functions of those files that a client runs: what `NewCedar` sets up and takes down, and what a login says.
const ENTERED: &[&str] = &[
    "CiNotify",
    "FreeCedarLayer3",
    "FreeLocalBridgeList",
    "GetGlobalServerFlag",
    "InitCedarLayer3",
    "InitLocalBridgeList",
    "IsAdminPackSupportedServerProduct",
    "OutRpcNodeInfo",
    "OutRpcWinVer",
    "WuFreeWebUI",
    "WuNewWebUI",
];

/// Functions of Mayaqua for connections that were accepted: their list, which a client has and keeps empty.
const ACCEPTED: &[&str] = &["DelIpClient", "FreeIpClientList", "InitIpClientList"];

/// Functions of R-UDP that a server runs alone: they ask for `ServerMode` first, or only what does calls them.
const R_UDP_SERVER: &[&str] = &[
    "AcceptRUDP",
    "NewUDPEx2RandMachineAndExePath",
    "RUDPAddIpToValidateList",
    "RUDPDo_NatT_Interrupt",
    "RUDPIpQueryThread",
    "RUDPIsIpInValidateList",
    "RUDPProcess_NatT_Recv",
    "RUDPCompareSessionList",
    "RUDPSearchSession",
];

/// Where R-UDP begins and ends, the C's TCP over UDP, ICMP and DNS, which it tries beside TCP: the race of both and who takes
/// part, where the packets of one session meet another (tubes, sockets within the process), and the hash its ports come from.
const R_UDP: &[&str] = &[
    "ConnectThreadForOverDnsOrIcmp",
    "ConnectThreadForRUDP",
    "ConnectThreadForTcp",
    "FreeInterruptManager",
    "FreeRUDP",
    "FreeTubeData",
    "FreeUdpPacket",
    "GetCurrentMachineIpProcessHash",
    "IsIPLocalHostOrMySelf",
    "IsTubeConnected",
    "NewRUDP",
    "NewRUDPClientDirect",
    "NewRUDPClientNatT",
    "RecvInProc",
    "ReleaseTube",
    "ReleaseTubePairData",
    "SendInProc",
    "TubeDisconnect",
    "TubeFlush",
    "TubeFlushEx",
    "TubeRecvAsync",
    "TubeSendEx",
    "TubeSendEx2",
];

/// Why a function that is linked is not one of a client's over TCP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Only the server's side leads to it.
    Server,
    /// Only R-UDP, and the server's side, lead to it.
    RUdp,
}

/// A section: the object file's number in the archive, and its own in that.
type Place = (usize, usize);

#[derive(Default)]
struct Graph {
    /// Where a function or table of that name is.
    defined: BTreeMap<String, Place>,
    /// What a section refers to: sections, and names that others define.
    refers: BTreeMap<Place, Vec<Result<Place, String>>>,
    /// Sections that are not entered.
    closed: BTreeSet<Place>,
}

impl Graph {
    fn add(&mut self, number: usize, file: &str, data: &[u8]) {
        let object = object::File::parse(data).expect("an object file");
        let file = file.trim_end_matches(".c.o").rsplit('-').next().unwrap_or_default();
        let server_side = SERVER_SIDE.contains(&file);
        for symbol in object.symbols().filter(|symbol| symbol.is_definition() && symbol.kind() != SymbolKind::Section) {
            let (Some(section), Ok(name)) = (symbol.section_index(), symbol.name()) else { continue };
            let section = section.0;
            if symbol.is_global() {
                self.defined.insert(name.to_owned(), (number, section));
            }
            if server_side && symbol.kind() == SymbolKind::Text && !ENTERED.contains(&name) {
                self.closed.insert((number, section));
            }
        }
        for section in object.sections().filter(|section| !section.name().is_ok_and(|name| name.starts_with(".debug")))
        {
            let targets = section.relocations().filter_map(|(_, relocation)| {
                let RelocationTarget::Symbol(symbol) = relocation.target() else { return None };
                let symbol = object.symbol_by_index(symbol).ok()?;
                let here = symbol.section_index().map(|section| Ok((number, section.0)));
                here.or_else(|| symbol.name().ok().map(|name| Err(name.to_owned())))
            });
            self.refers.insert((number, section.index().0), targets.collect());
        }
    }

    /// Closes functions, which must exist.
    fn close(&mut self, names: &[&str]) {
        for name in names {
            let place = self.defined.get(*name).unwrap_or_else(|| panic!("the C has no {name}"));
            self.closed.insert(*place);
        }
    }

    fn reached(&self, beginnings: &BTreeSet<String>) -> BTreeSet<Place> {
        let places = beginnings.iter().filter_map(|name| self.defined.get(name));
        let mut waiting: Vec<Place> = places.filter(|place| !self.closed.contains(place)).copied().collect();
        let mut reached: BTreeSet<Place> = waiting.iter().copied().collect();
        while let Some(place) = waiting.pop() {
            for target in self.refers.get(&place).into_iter().flatten() {
                let target = target.as_ref().ok().or_else(|| self.defined.get(target.as_ref().err()?));
                if let Some(target) = target.filter(|target| !self.closed.contains(target))
                    && reached.insert(*target)
                {
                    waiting.push(*target);
                }
            }
        }
        reached
    }
}

/// Of `linked`, what a client over TCP does not reach.
pub fn of_others(root: &Path, linked: &BTreeSet<&str>) -> BTreeMap<String, Only> {
    let path = archive(root);
    let data = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let archive = ArchiveFile::parse(&*data).expect("an archive");
    let mut graph = Graph::default();
    for (number, member) in archive.members().enumerate() {
        let member = member.expect("a member of the archive");
        let file = String::from_utf8_lossy(member.name()).into_owned();
        graph.add(number, &file, member.data(&*data).expect("its bytes"));
    }
    let missing: Vec<_> = ENTERED.iter().filter(|name| !graph.defined.contains_key(**name)).collect();
    assert!(missing.is_empty(), "ENTERED names what the C does not have: {missing:?}");
    let beginnings = words(root);
    graph.close(ACCEPTED);
    graph.close(R_UDP_SERVER);
    let client = graph.reached(&beginnings);
    graph.close(R_UDP);
    let over_tcp = graph.reached(&beginnings);
    let only = |name: &str| match graph.defined.get(name) {
        Some(place) if over_tcp.contains(place) => None,
        Some(place) if client.contains(place) => Some(Only::RUdp),
        _ => Some(Only::Server),
    };
    linked.iter().filter_map(|name| Some(((*name).to_owned(), only(name)?))).collect()
}

/// The newest build of the C of which no function is renamed for a swap.
fn archive(root: &Path) -> PathBuf {
    let builds = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folders = ["release", "debug"].iter().filter_map(|profile| builds.join(profile).join("build").read_dir().ok());
    let archives = folders.flatten().map(|entry| entry.expect("an entry").path().join("out/libsoftether.a"));
    let is_pristine =
        |path: &PathBuf| std::fs::read(path).is_ok_and(|data| !data.windows(12).any(|part| part == b"\0c_NewBlock\0"));
    let age = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let newest = archives.filter(is_pristine).max_by_key(age);
    newest.unwrap_or_else(|| panic!("no build of the untouched C below {}; run `./zigw build lab`", builds.display()))
}

/// Every word of the client's source, but for comments.
fn words(root: &Path) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut folders = ["zig", "rust/hybrid/src", "rust/swaps/src"].map(|folder| root.join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs" || extension == "zig");
            if path.is_dir() {
                folders.push(path);
            } else if is_source && !path.ends_with("registry.rs") {
                let text = std::fs::read_to_string(&path).expect("source");
                let code = text.lines().filter_map(|line| line.split("//").next());
                let parts = code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
                words.extend(parts.filter(|word| !word.is_empty()).map(str::to_owned));
            }
        }
    }
    words
}
