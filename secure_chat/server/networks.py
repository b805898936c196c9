"""What counts as one address wherever somebody is limited by where they come from."""

import ipaddress

_CUSTOMER = 64  # bits of an IPv6 address that belong to one customer


def network_of(peer: str) -> str:
    """An IPv4 address itself, or the /64 network of an IPv6 address; anything else as it is."""
    if ":" not in peer:  # IPv4, as the system writes it
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _CUSTOMER), strict=False))
