//! Questions and orders to the kernel about interfaces (rtnetlink), one at a time and blocking: set-up is rare and never
//! in the path of packets. [`Monitor`] is told of changes without asking.
#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Largest message the kernel sends about one interface.
const MESSAGE_MAX: usize = 64 * 1024;

/// The group that is told of every change of an interface (RTNLGRP_LINK).
const LINK_GROUP: u32 = 1;

/// How long the kernel may take for an answer.
const ANSWER_TIMEOUT_S: i64 = 2;

/// Messages read per answer or per look at the monitor, at most.
const MESSAGES_MAX: usize = 64;

/// What the kernel says of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) mtu: u32,
    pub(super) mac: Option<[u8; 6]>,
}

impl Link {
    fn from_message(message: LinkMessage) -> Link {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            up: message.header.flags.contains(LinkFlags::Up),
            mtu: 0,
            mac: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(mac) => link.mac = mac.try_into().ok(),
                _ => {}
            }
        }
        link
    }
}

/// A change of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Up(bool),
    Mtu(u32),
    Mac([u8; 6]),
}

/// A connection to the kernel of the namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    pub(super) fn link_by_name(&mut self, name: &str) -> io::Result<Link> {
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.link(question)
    }

    pub(super) fn link_by_index(&mut self, index: u32) -> io::Result<Link> {
        let mut question = LinkMessage::default();
        question.header.index = index;
        self.link(question)
    }

    fn link(&mut self, question: LinkMessage) -> io::Result<Link> {
        match self.ask(RouteNetlinkMessage::GetLink(question), 0)? {
            Some(RouteNetlinkMessage::NewLink(answer)) => Ok(Link::from_message(answer)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no link in the kernel's answer")),
        }
    }

    pub(super) fn change(&mut self, index: u32, change: Change) -> io::Result<()> {
        let mut order = LinkMessage::default();
        order.header.index = index;
        match change {
            Change::Up(up) => {
                order.header.change_mask = LinkFlags::Up;
                order.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
            }
            Change::Mtu(mtu) => order.attributes.push(LinkAttribute::Mtu(mtu)),
            Change::Mac(mac) => order.attributes.push(LinkAttribute::Address(mac.to_vec())),
        }
        self.order(RouteNetlinkMessage::SetLink(order), 0)
    }

    pub(super) fn delete(&mut self, index: u32) -> io::Result<()> {
        let mut order = LinkMessage::default();
        order.header.index = index;
        self.order(RouteNetlinkMessage::DelLink(order), 0)
    }

    /// Adds `address`; one that is there already stays.
    pub(super) fn add_address(&mut self, index: u32, address: IpAddr, prefix_len: u8) -> io::Result<()> {
        let mut order = AddressMessage::default();
        order.header.family = match address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        order.header.index = index;
        order.header.prefix_len = prefix_len;
        order.attributes.push(AddressAttribute::Address(address));
        order.attributes.push(AddressAttribute::Local(address));
        if let (IpAddr::V4(v4), 0..=30) = (address, prefix_len) {
            let host_part = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
            order.attributes.push(AddressAttribute::Broadcast((u32::from(v4) | host_part).into()));
        }
        self.order(RouteNetlinkMessage::NewAddress(order), NLM_F_CREATE | NLM_F_REPLACE)
    }

    fn order(&mut self, order: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.ask(order, flags | NLM_F_ACK).map(drop)
    }

    /// Sends one message and waits for its answer or its acknowledgement.
    fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Option<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        for _ in 0..MESSAGES_MAX {
            let answer = self.message()?;
            if answer.header.sequence_number != self.sequence {
                continue; // it belongs to an older question
            }
            return match answer.payload {
                NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
                NetlinkPayload::InnerMessage(inner) => Ok(Some(inner)),
                _ => Ok(None),
            };
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer has no end"))
    }

    /// The next message from the kernel.
    fn message(&self) -> io::Result<NetlinkMessage<RouteNetlinkMessage>> {
        wait_readable(self.socket.as_fd())?;
        let mut bytes = Vec::with_capacity(MESSAGE_MAX);
        self.socket.recv(&mut bytes, 0)?;
        NetlinkMessage::deserialize(&bytes).map_err(io::Error::other)
    }
}

fn wait_readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    let timeout = Timespec { tv_sec: ANSWER_TIMEOUT_S, tv_nsec: 0 };
    loop {
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Hears that an interface of its namespace changed.
#[derive(Debug)]
pub(super) struct Monitor {
    socket: Socket,
}

impl Monitor {
    pub(super) fn open() -> io::Result<Monitor> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(LINK_GROUP)?;
        socket.set_non_blocking(true)?;
        Ok(Monitor { socket })
    }

    /// Whether anything changed since the last call. What changed is to be asked: a message may have been lost.
    pub(super) fn changed(&self) -> bool {
        let mut changed = false;
        for _ in 0..MESSAGES_MAX {
            match rustix::net::recv(self, &mut [0u8; 16][..], rustix::net::RecvFlags::TRUNC) {
                Ok(_) => changed = true,
                Err(rustix::io::Errno::AGAIN) => break,
                // ENOBUFS: more changed than fitted the socket.
                Err(_) => return true,
            }
        }
        changed
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
