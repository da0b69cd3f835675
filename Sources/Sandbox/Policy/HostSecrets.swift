internal import Glibc

/// Files below `/etc` and `/var` that no command sees, whatever an operator exposes, and kinds of files that are secret
/// there.
///
/// Most of them are readable by root only, so a command could not read them anyway. The tables also hold on a host on
/// which somebody has changed a mode, and where commands have the same user as the service.
enum HostSecrets {
    /// Paths that are never shown, with the reason.
    ///
    /// A `*` may end a path. Everything inside is hidden too.
    static let table: [(reason: String, paths: [String])] = [
        ("it has password hashes", ["/etc/gshadow*", "/etc/security/opasswd", "/etc/shadow*"]),
        (
            "it names the users of the host, and a run has users of its own",
            ["/etc/group", "/etc/group-", "/etc/passwd", "/etc/passwd-", "/etc/subgid*", "/etc/subuid*"]
        ),
        (
            "it says who may become root",
            ["/etc/doas.conf", "/etc/polkit-1", "/etc/sudo*", "/var/lib/polkit-1", "/var/lib/sudo"]
        ),
        ("it identifies the host", ["/etc/hostid", "/etc/hostname", "/etc/machine-id", "/var/lib/dbus/machine-id"]),
        (
            "it has private keys of servers",
            [
                "/etc/acme*", "/etc/dovecot/private", "/etc/letsencrypt", "/etc/pki/private", "/etc/pki/tls/private",
                "/etc/ssh/ssh_host_*", "/etc/ssl/private", "/var/lib/acme*", "/var/lib/caddy", "/var/lib/letsencrypt",
            ]
        ),
        (
            "it has keys and passwords of networks",
            [
                "/etc/NetworkManager/system-connections", "/etc/chap-secrets", "/etc/ipsec.d/private",
                "/etc/ipsec.secrets", "/etc/netplan", "/etc/openvpn", "/etc/ppp", "/etc/swanctl", "/etc/wireguard",
                "/etc/wpa_supplicant", "/var/lib/NetworkManager", "/var/lib/iwd", "/var/lib/tailscale",
            ]
        ),
        (
            "it has keys of a domain or directory service",
            [
                "/etc/krb5.keytab", "/etc/krb5kdc", "/etc/ldap.secret", "/etc/sssd", "/var/lib/krb5kdc",
                "/var/lib/samba", "/var/lib/sss",
            ]
        ),
        (
            "it has passwords of services",
            [
                "/etc/apt/auth.conf*", "/etc/cifs*", "/etc/davfs2", "/etc/ddclient.conf", "/etc/exim4/passwd.client",
                "/etc/fetchmailrc", "/etc/maven/settings-security.xml", "/etc/msmtprc", "/etc/mysql/debian.cnf",
                "/etc/netrc", "/etc/odbc.ini", "/etc/pgbouncer/userlist.txt", "/etc/postfix/sasl*",
                "/etc/rsyncd.secrets",
                "/etc/smbcredentials*", "/etc/snmp", "/var/lib/snmp",
            ]
        ),
        (
            "it has keys of disks or of the service manager",
            [
                "/etc/credstore*", "/etc/crypttab", "/etc/cryptsetup*", "/etc/luks*", "/var/lib/private",
                "/var/lib/systemd",
            ]
        ),
        (
            "it has the files or keys of containers",
            [
                "/etc/docker", "/etc/kubernetes", "/etc/rancher", "/var/lib/containerd", "/var/lib/containers",
                "/var/lib/docker", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/rancher",
            ]
        ),
        ("it belongs to this service", ["/etc/sandglass*", "/var/lib/sandglass*"]),
    ]

    /// Names that are hidden in every directory, with the reason.
    static let names: [(reason: String, names: [String])] = [
        (
            "it has keys or passwords of a user",
            [
                ".aws", ".azure", ".docker", ".git-credentials", ".gnupg", ".kube", ".netrc", ".pgpass", ".ssh",
                ".vault-token", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa",
            ]
        )
    ]
    /// Endings of names that are hidden in every directory.
    static let endings = [".kdbx", ".key", ".keytab", ".p12", ".pfx"]
    static let keyReason = "it is a private key"

    private static let patterns = table.flatMap { row in row.paths.map { (PathPattern($0), row.reason) } }
    private static let reasonsByName = Dictionary(
        uniqueKeysWithValues: names.flatMap { row in row.names.map { ($0, row.reason) } }
    )

    /// Returns the reason why a path is hidden.
    ///
    /// - Parameter path: an absolute path.
    /// - Returns: the reason, or `nil` if nothing forbids to show a path of that name.
    static func reason(toHide path: String) -> String? {
        if let (_, reason) = patterns.first(where: { $0.0.contains(path) }) { return reason }
        return path.split(separator: "/").lazy.compactMap { reason(toHideName: String($0)) }.first
    }

    /// Returns whether the table has a path inside a directory.
    static func names(somethingIn directory: String) -> Bool {
        patterns.contains { ($0.0.directory + "/").hasPrefix(directory + "/") }
    }

    /// Returns the reason why a directory entry is hidden in every directory, or `nil`.
    static func reason(toHideName name: String) -> String? {
        if let reason = reasonsByName[name] { return reason }
        return endings.contains { name.hasSuffix($0) } ? keyReason : nil
    }

    /// Returns whether a text contains a private key in PEM format (RFC 7468).
    static func isPrivateKey(_ contents: [UInt8]) -> Bool {
        // The search ends at the first NUL, because the format is a text.
        (contents + [0]).withUnsafeBytes { bytes in
            bytes.baseAddress.map { strstr($0.assumingMemoryBound(to: CChar.self), "PRIVATE KEY-----") != nil } ?? false
        }
    }

    // MARK: Secrets inside a directory that is shown as it is

    /// The maximum number of directory entries to look at, which takes a tenth of a second.
    private static let maximumEntries = 100_000
    /// The endings of names of files in which a key may be.
    private static let textEndings = [".pem", ".crt", ".cert", ".cer"]

    /// Returns the first secret in a directory that every user may read, or `nil` if there is none.
    ///
    /// A key that others may not read needs no look: the kernel refuses it to a command, which has a user of its own.
    static func first(in directory: String) -> String? {
        var pending = [directory]
        var entriesLeft = maximumEntries
        while let directory = pending.popLast() {
            for name in HostFile.names(in: directory) {
                entriesLeft -= 1
                guard entriesLeft > 0 else { return nil }
                let path = directory + "/" + name
                var status = stat()
                guard lstat(path, &status) == 0, status.st_mode & 0o4 != 0 else { continue }
                if reason(toHide: path) != nil { return path }
                switch HostFile.kind(of: path) {
                case .directory: pending.append(path)
                case .file:
                    guard textEndings.contains(where: name.hasSuffix) else { continue }
                    if isPrivateKey(HostFile.contents(of: path, atMost: 1 << 20) ?? []) { return path }
                case .symbolicLink, .other, nil: break
                }
            }
        }
        return nil
    }
}
