internal import Glibc

/// The files and directories below /etc and /var that packages install for other programs to read.
///
/// Commands see those that exist, without the secrets in them (``HostSecrets``). A `*` may end a path.
enum PackageFiles {
    /// The paths that are shown, with a reason for each group.
    static let table: [(reason: String, paths: [String])] = [
        (
            "the programs that names such as cc, java, editor or libblas.so.3 stand for",
            ["/etc/alternatives", "/etc/dictionaries-common", "/etc/emacsen-common"]
        ),
        ("the dynamic linker's cache and directories", ["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"]),
        (
            "certificate authorities and the settings of TLS libraries",
            [
                "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/crypto-policies", "/etc/gnutls",
                "/etc/pki/ca-trust", "/etc/pki/java", "/etc/pki/tls/cert.pem", "/etc/pki/tls/certs",
                "/etc/pki/tls/openssl.cnf", "/etc/ssl/cert.pem", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
                "/var/lib/ca-certificates",
            ]
        ),
        (
            "the release of the distribution",
            [
                "/etc/alpine-release", "/etc/arch-release", "/etc/debian_version", "/etc/dpkg/origins",
                "/etc/fedora-release", "/etc/lsb-release", "/etc/os-release", "/etc/redhat-release",
                "/etc/system-release",
            ]
        ),
        (
            "languages, time zones, and the names of protocols, services and file types",
            [
                "/etc/default/locale", "/etc/ethertypes", "/etc/gai.conf", "/etc/host.conf", "/etc/locale.alias",
                "/etc/locale.conf", "/etc/locale.gen", "/etc/localtime", "/etc/magic", "/etc/magic.mime",
                "/etc/mailcap", "/etc/mime.types", "/etc/networks", "/etc/protocols", "/etc/rpc", "/etc/services",
                "/etc/timezone", "/var/lib/locales",
            ]
        ),
        (
            "settings of shells, terminals and editors",
            [
                "/etc/bash.bashrc", "/etc/bashrc", "/etc/csh.*", "/etc/emacs", "/etc/fish", "/etc/inputrc",
                "/etc/kshrc",
                "/etc/nanorc", "/etc/profile", "/etc/profile.d", "/etc/screenrc", "/etc/shells", "/etc/terminfo",
                "/etc/tmux.conf", "/etc/vim", "/etc/zsh", "/etc/zshenv", "/etc/zshrc", "/var/lib/emacsen-common",
            ]
        ),
        (
            "Java and its build tools, Scala, Groovy, Kotlin",
            [
                "/etc/.java", "/etc/ant.conf", "/etc/ant.d", "/etc/groovy*", "/etc/java*", "/etc/jvm*", "/etc/kotlin*",
                "/etc/maven*", "/etc/scala*",
            ]
        ),
        (
            "Perl, Python and its libraries",
            ["/etc/ipython", "/etc/jupyter", "/etc/matplotlibrc", "/etc/perl", "/etc/pypy*", "/etc/python*"]
        ),
        (
            "R, Octave, Julia, Maxima, gnuplot",
            ["/etc/R", "/etc/gnuplot*", "/etc/julia", "/etc/maxima", "/etc/octave*"]
        ),
        ("PHP and its extensions", ["/etc/php*", "/var/lib/php/modules"]),
        ("Haskell, OCaml", ["/etc/ghc*", "/etc/ocaml*", "/var/lib/ghc*", "/var/lib/ocaml*"]),
        ("Pascal, .NET, Mono", ["/etc/dotnet", "/etc/fpc*", "/etc/lazarus*", "/etc/mono"]),
        (
            "Erlang, Elixir, Lisp, Scheme, Prolog, Tcl, Lua",
            [
                "/etc/common-lisp", "/etc/elixir*", "/etc/erlang*", "/etc/gambit*", "/etc/guile*", "/etc/lisp*",
                "/etc/lua*", "/etc/racket", "/etc/rebar*", "/etc/sbcl*", "/etc/swi-prolog", "/etc/tcl*",
                "/var/lib/common-lisp",
            ]
        ),
        (
            "debuggers, profilers, cluster and device libraries",
            [
                "/etc/OpenCL", "/etc/debuginfod", "/etc/drirc", "/etc/egl", "/etc/gdb", "/etc/gdbinit", "/etc/glvnd",
                "/etc/gprofng.rc", "/etc/libnl*", "/etc/mpich*", "/etc/openmpi*", "/etc/strace*", "/etc/valgrindrc",
                "/etc/vulkan",
            ]
        ),
        ("client programs of databases", ["/etc/odbcinst.ini", "/etc/postgresql-common"]),
        (
            "fonts, images, sound and documents",
            [
                "/etc/ImageMagick*", "/etc/X11/rgb.txt", "/etc/alsa", "/etc/fonts", "/etc/ghostscript", "/etc/gimp",
                "/etc/groff", "/etc/gtk-2.0", "/etc/gtk-3.0", "/etc/gtk-4.0", "/etc/imagemagick*", "/etc/inkscape",
                "/etc/libreoffice", "/etc/pango", "/etc/papersize", "/etc/paperspecs", "/etc/texmf", "/etc/timidity",
                "/etc/xdg", "/var/cache/fontconfig", "/var/lib/ghostscript", "/var/lib/libreoffice",
                "/var/lib/tex-common", "/var/lib/texmf",
            ]
        ),
        (
            "catalogs of SGML, XML and spelling dictionaries",
            [
                "/etc/aspell*", "/etc/hunspell*", "/etc/sgml", "/etc/xml", "/var/lib/aspell",
                "/var/lib/dictionaries-common", "/var/lib/ispell", "/var/lib/sgml-base", "/var/lib/xml-core",
            ]
        ),
    ]

    /// The patterns of the table.
    static let patterns = table.flatMap(\.paths).map(PathPattern.init)

    /// The paths of the table that exist on this host.
    static func existing() -> [String] {
        // Each directory is listed once.
        var listings: [String: [String]] = [:]
        return patterns.flatMap { pattern -> [String] in
            guard pattern.isOpen else {
                let path = pattern.directory + "/" + pattern.name
                return access(path, F_OK) == 0 ? [path] : []
            }
            let names = listings[pattern.directory] ?? HostFile.names(in: pattern.directory)
            listings[pattern.directory] = names
            return names.filter { $0.hasPrefix(pattern.name) }.map { pattern.directory + "/" + $0 }
        }
    }

    /// The size of the largest file that is copied, in bytes.
    private static let maximumCopyBytes = 2 << 20

    /// Returns the entries that show a file or directory of the host to commands.
    ///
    /// Files and small directories are copied: a mount costs every run microseconds, a copy costs the start of the service
    /// less than one per file, and a bound file would keep its old contents after a package manager has replaced it.
    ///
    /// - Parameter path: the path, the same on the host and in the sandbox.
    /// - Returns: the entries; none if the path is a secret or gone.
    static func entries(showing path: String) -> [SandboxEntry] {
        // The launcher follows no links while it builds the new root, so it needs the canonical path.
        guard let host = HostFile.canonicalPath(of: path),
            HostSecrets.reason(toHide: path) == nil, HostSecrets.reason(toHide: host) == nil
        else { return [] }
        switch HostFile.kind(of: host) {
        case .directory:
            if let copy = DirectoryCopy(of: host, at: path) { return copy.entries }
            return HostSecrets.first(in: host) == nil ? [.bind(host: host, at: path)] : []
        case .file:
            guard let contents = HostFile.contents(of: host, atMost: maximumCopyBytes) else {
                return [.bindFile(host: host, at: path)]
            }
            return HostSecrets.isPrivateKey(contents) ? [] : [.file(path, contents: contents)]
        case .symbolicLink, .other, nil: return []
        }
    }
}

/// An absolute path whose last component may be left open at its end, such as `/etc/java-*`.
struct PathPattern: Sendable, Hashable {
    /// The directory of the last component.
    let directory: String
    /// The last component, or its beginning.
    let name: String
    /// A Boolean value that indicates whether the last component may go on.
    let isOpen: Bool
    /// The directory and the name together.
    private let start: String

    /// Creates a pattern from its text, in which a `*` may end the last component.
    init(_ text: String) {
        let slash = text.lastIndex(of: "/") ?? text.startIndex
        directory = String(text[..<slash])
        isOpen = text.hasSuffix("*")
        let name = text[slash...].dropFirst()
        self.name = String(isOpen ? name.dropLast() : name)
        start = directory + "/" + self.name
    }

    /// Returns whether a path is the pattern's or lies inside it.
    func contains(_ path: String) -> Bool {
        guard path.hasPrefix(start) else { return false }
        let rest = path.utf8.dropFirst(start.utf8.count)
        return isOpen || rest.isEmpty || rest.first == UInt8(ascii: "/")
    }
}
