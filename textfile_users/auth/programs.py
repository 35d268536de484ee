"""The programs whose messages count, and where these are known."""

from __future__ import annotations

# A program's name in the log, and the module that knows its messages; '' knows PAM's alone.
PROGRAMS = {
    b"sshd": "sshd",
    b"sshd-session": "sshd",
    b"sshd-auth": "sshd",
    b"dropbear": "dropbear",
    b"sudo": "sudo",
    b"sudo-rs": "sudo",
    b"su": "su",
    b"su-l": "su",
    b"su-rs": "su",
    b"doas": "doas",
    b"pkexec": "polkit",
    b"polkitd": "polkit",
    b"polkit-agent-helper-1": "",
    b"login": "login",
    b"agetty": "login",
    b"gdm": "",
    b"gdm3": "",
    b"gdm-password": "",
    b"gdm-autologin": "",
    b"gdm-fingerprint": "",
    b"gdm-smartcard": "",
    b"gdm-session-worker": "",
    b"lightdm": "",
    b"sddm": "",
    b"sddm-helper": "",
    b"gdm-switchable-auth": "",
    b"xrdp-sesman": "xrdp",
    b"xrdp-sesexec": "xrdp",
    b"cockpit-session": "cockpit",
    b"cockpit-ws": "cockpit",
    # Display managers that have no label of their own.
    b"cosmic-greeter": "",
    b"emptty": "",
    b"entrance": "",
    b"greetd": "",
    b"kdm": "",
    b"lemurs": "",
    b"lxdm": "",
    b"lxdm-binary": "",
    b"lxdm-session": "",
    b"ly": "",
    b"ly-dm": "",
    b"mdm": "",
    b"nodm": "",
    b"plasmalogin": "",
    b"plasmalogin-helper": "",
    b"slim": "",
    b"tdm": "",
    b"wdm": "",
    b"xdm": "",
}
# Stands for a program of another name, whose lines are read where PAM wrote them.
OTHER = b""


# As they are in the journal, where gdm's tags end in a bracket.
IDENTIFIERS = (
    *(name.decode() for name in PROGRAMS),
    *(f"{name.decode()}]" for name in PROGRAMS if name.startswith(b"gdm-")),
)
