package top

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/option"
)

// Options is how weir top is told to run.
type Options struct {
	// Version is true if only the version was asked for.
	Version bool

	addr    string
	tls     string // file with authorities, "system", or "" for plain HTTP
	user    string
	once    bool
	environ []string
}

// Table returns the options of weir top, for manuals and completions.
func Table() *config.Table { return new(Options).table() }

func (o *Options) table() *config.Table {
	return &config.Table{
		Command: "weir top",
		Usage:   "weir top [-addr host:port] [-once]",
		About:   "weir top shows a running weir in the terminal: what it receives and writes, what is lost and where, how full its queues are, and its exporters by rate, loss or silence. It reads the pages of weir's web server, at most one a second. ? shows its keys.",
		Options: []option.Option{
			{
				Name: "addr", Group: option.GroupSee, Default: "127.0.0.1:8080", Shape: "host:port", NoFile: true, Value: addrValue(&o.addr),
				Help: "Address of the web server of the weir to show: its -addr. A host that is empty or stands for all addresses means this host.",
			},
			{
				Name: "tls", Group: option.GroupSee, Default: "", Shape: "file|system", NoFile: true, NoEnv: true, Value: option.TextValue(&o.tls),
				Help: "Speak TLS, as a weir with -web.config.file may ask for: a file with the certificates of the authorities to trust, or system for those of this host. Empty is plain HTTP.",
			},
			{
				Name: "user", Group: option.GroupSee, Default: "", Shape: "name", NoFile: true, NoEnv: true, Value: option.TextValue(&o.user),
				Help: "User of a weir whose -web.config.file has users. The password is in the environment variable WEIR_TOP_PASSWORD.",
			},
			{
				Name: "once", Group: option.GroupSee, Default: "false", Shape: "true|false", NoFile: true, NoEnv: true, Value: option.SwitchValue(&o.once),
				Help: "Write one table of totals, one of places, one of queues and one of exporters to standard output, and exit. Numbers are whole, words have no spaces. This is also what happens where standard output is no terminal.",
			},
		},
		Examples: []config.Example{
			{Line: "weir top", Does: "Show the weir on this host."},
			{Line: "weir top -addr 192.0.2.10:8080", Does: "Show the weir on another host, which has to serve others (-addr :8080)."},
			{Line: "weir top -once | awk '$1 == \"place\" && $4 > 0'", Does: "List the places that lost something in the last minute."},
		},
	}
}

// addrValue is host:port of a server.
func addrValue(p *string) option.Value {
	const allowed = "host:port, such as 127.0.0.1:8080, [::1]:8080 or weir.example.net:8080"
	v := option.TextValue(p)
	v.Check = func() error {
		host, port, err := net.SplitHostPort(*p)
		switch {
		case *p == "":
			return &option.Problem{Text: "no address: a weir with -addr \"\" has no web server to read", Allowed: allowed}
		case strings.Contains(*p, "/"):
			return &option.Problem{Text: "not host:port", Allowed: allowed + ", without http:// and without a path"}
		case err != nil || strings.ContainsAny(host, " %@?#\\\x00"):
			return &option.Problem{Text: "not host:port", Allowed: allowed}
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return &option.Problem{Text: "port " + option.Show(port) + " is not a port number", Allowed: allowed}
		}
		return nil
	}
	return v
}

// Parse reads the arguments after the command's name. environ is as os.Environ; the address
// may be in WEIR_ADDR. With -h it writes the help to w and returns config.ErrHelp; anything
// wrong is a *config.UsageError.
func Parse(args, environ []string, w io.Writer) (*Options, error) {
	o := &Options{environ: environ}
	var own []string // other variables are options of weir
	for _, v := range environ {
		if strings.HasPrefix(v, option.EnvName("addr")+"=") && v != option.EnvName("addr")+"=" {
			own = append(own, v)
		}
	}
	res, err := o.table().Load(args, own, w)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	o.Version = res.Version
	return o, nil
}

// Run shows weir until the user quits, or writes its tables once to out. It fails if weir
// cannot be reached at the start.
func (o *Options) Run(out io.Writer) error {
	how, err := o.access()
	if err != nil {
		return err
	}
	c := newClient(o.addr, how)
	first := c.ask(context.Background(), request{page: pageHealth})
	if first.err != nil {
		return o.unreachable(first.err)
	}
	if o.once || !terminal(out) || dumb(o.environ) {
		return once(c, first, out)
	}
	return run(c, o.style(), o.environ, first)
}

// access returns how to ask.
func (o *Options) access() (access, error) {
	how := access{tls: o.tls != "", user: o.user, password: variable(o.environ, passwordVariable)}
	if o.tls == "" || o.tls == "system" {
		return how, nil
	}
	text, err := os.ReadFile(o.tls)
	if err != nil {
		return how, fmt.Errorf("read -tls: %w", err)
	}
	if how.roots = x509.NewCertPool(); !how.roots.AppendCertsFromPEM(text) {
		return how, fmt.Errorf("read -tls: %s has no certificate in PEM form", o.tls)
	}
	return how, nil
}

// passwordVariable is the environment variable with the password of -user.
const passwordVariable = "WEIR_TOP_PASSWORD"

// unreachable says what to do where weir does not answer.
func (o *Options) unreachable(err error) error {
	return fmt.Errorf("reach weir at %s: %w: see that weir runs and what its -addr is (weir check says it), and name that with weir top -addr host:port", clean(o.addr), err)
}

// terminal reports whether out is one.
func terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// dumb reports whether the terminal cannot move its cursor.
func dumb(environ []string) bool {
	name := variable(environ, "TERM")
	return name == "" || name == "dumb"
}

// variable returns the last value of an environment variable.
func variable(environ []string, name string) (value string) {
	for _, v := range environ {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			value = rest
		}
	}
	return value
}

// style is how to write, by the environment: colors (https://no-color.org), and Unicode where
// the locale has it.
func (o *Options) style() style {
	s := style{color: variable(o.environ, "NO_COLOR") == "", steps: plainSteps}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		value := strings.ToLower(variable(o.environ, name))
		if value == "" {
			continue
		}
		if strings.Contains(value, "utf-8") || strings.Contains(value, "utf8") {
			s.steps = steps
		}
		break
	}
	return s
}

// profile is what bubbletea may let through: sixteen colors, which every terminal has and the
// user chooses, or none.
func (s style) profile() colorprofile.Profile {
	if s.color {
		return colorprofile.ANSI
	}
	return colorprofile.ASCII
}

// isInterrupt reports whether the program ended by SIGINT, which is how some end it.
func isInterrupt(err error) bool { return errors.Is(err, tea.ErrInterrupted) }
