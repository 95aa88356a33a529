package top

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Options are those of weir top.
type Options struct {
	Addr     string         // host:port or URL of weir's web server
	Roots    *x509.CertPool // to trust; nil for the system's
	Interval time.Duration
	Order    string // one of Orders
	Filter   string
	Color    bool
}

// host returns Addr without a password.
func (o *Options) host() string {
	if i := strings.LastIndex(o.Addr, "@"); i >= 0 {
		return o.Addr[i+1:]
	}
	return o.Addr
}

// readTimeout bounds how long weir may take for a page.
const readTimeout = 30 * time.Second

// Once writes the screen of two readings an interval apart, for scripts. rows bounds the
// exporters, 0 for all.
func Once(ctx context.Context, w io.Writer, o Options, rows int) error {
	c := NewClient(o.Addr, o.Roots, readTimeout)
	before, err := c.Read(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(o.Interval):
	case <-ctx.Done():
		return ctx.Err()
	}
	now, err := c.Read(ctx)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, NewScreen(o.host(), before, now).Text(o.Order, o.Filter, rows)); err != nil {
		return fmt.Errorf("write screen: %w", err)
	}
	return nil
}

// Run shows the screen until the user quits.
func Run(ctx context.Context, in io.Reader, out io.Writer, environ []string, o Options) error {
	c := NewClient(o.Addr, o.Roots, readTimeout)
	first, err := c.Read(ctx) // what is wrong is said without a screen
	if err != nil {
		return err
	}
	m := newModel(ctx, c, o)
	m.take(first, nil)
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(environ))
	if _, err := p.Run(); err != nil {
		return fmt.Errorf("show screen: %w", err)
	}
	return nil
}

// Messages of the program.
type (
	readMsg struct {
		r   *Reading
		err error
	}
	tickMsg   struct{}
	detailMsg struct {
		text string
		err  error
	}
)

// mode is what the screen shows.
type mode int

const (
	listMode mode = iota
	detailMode
	helpMode
)

// model is the state of the program.
type model struct {
	ctx    context.Context
	client *Client
	o      Options

	width, height int
	before, now   *Reading
	screen        *Screen
	err           error // of the last reading
	paused        bool
	typing        bool // the filter
	mode          mode
	at            int    // line of the list that is chosen
	chosen        string // its exporter
	detail        []string
	scroll        int // of the detail
}

func newModel(ctx context.Context, c *Client, o Options) *model {
	return &model{ctx: ctx, client: c, o: o, width: 80, height: 24}
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return m.wait() }

func (m *model) wait() tea.Cmd {
	return tea.Tick(m.o.Interval, func(time.Time) tea.Msg { return tickMsg{} })
}

func (m *model) read() tea.Cmd {
	return func() tea.Msg {
		r, err := m.client.Read(m.ctx)
		return readMsg{r, err}
	}
}

// take makes the screen of a reading. After an error the last one stays, and says so.
func (m *model) take(r *Reading, err error) {
	m.err = err
	if err != nil {
		return
	}
	m.before, m.now = m.now, r
	if !m.paused || m.screen == nil {
		m.screen = NewScreen(m.o.host(), m.before, m.now)
	}
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		return m, m.read()
	case readMsg:
		m.take(msg.r, msg.err)
		return m, m.wait()
	case detailMsg:
		m.detail, m.scroll = strings.Split(strings.TrimRight(msg.text, "\n"), "\n"), 0
		if msg.err != nil {
			m.detail = []string{msg.err.Error()}
		}
	case tea.KeyPressMsg:
		return m.key(msg.String(), msg.Text)
	}
	return m, nil
}

// key does what a key is for. text is what it types.
func (m *model) key(key, text string) (tea.Model, tea.Cmd) {
	if key == "ctrl+c" {
		return m, tea.Quit
	}
	if m.typing {
		return m.typed(key, text), nil
	}
	switch m.mode {
	case helpMode:
		m.mode = listMode
		return m, nil
	case detailMode:
		switch key {
		case "q", "esc", "backspace", "left":
			m.mode = listMode
		case "down", "j":
			m.scroll = min(m.scroll+1, max(len(m.detail)-1, 0))
		case "up", "k":
			m.scroll = max(m.scroll-1, 0)
		case "pgdown", "space":
			m.scroll = min(m.scroll+m.height-3, max(len(m.detail)-1, 0))
		case "pgup":
			m.scroll = max(m.scroll-m.height+3, 0)
		}
		return m, nil
	}
	switch key {
	case "q":
		return m, tea.Quit
	case "p", "space":
		if m.paused = !m.paused; !m.paused && m.now != nil {
			m.screen = NewScreen(m.o.host(), m.before, m.now)
		}
	case "s", "right":
		m.order(1)
	case "S", "left":
		m.order(-1)
	case "/":
		m.typing = true
	case "esc":
		m.o.Filter = ""
	case "?", "h":
		m.mode = helpMode
	case "down", "j":
		m.move(1)
	case "up", "k":
		m.move(-1)
	case "pgdown":
		m.move(m.rows())
	case "pgup":
		m.move(-m.rows())
	case "home":
		m.move(-len(m.screen.List))
	case "enter":
		return m, m.open()
	}
	return m, nil
}

// typed edits the filter.
func (m *model) typed(key, text string) tea.Model {
	switch key {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.o.Filter = false, ""
	case "backspace":
		if r := []rune(m.o.Filter); len(r) > 0 {
			m.o.Filter = string(r[:len(r)-1])
		}
	default:
		m.o.Filter += clean(text)
	}
	m.at, m.chosen = 0, ""
	return m
}

// order chooses another order.
func (m *model) order(step int) {
	i := slices.Index(Orders, m.o.Order) + step
	m.o.Order = Orders[(i+len(Orders))%len(Orders)]
}

// list returns the exporters as shown, and the index of the one that is chosen.
func (m *model) list() ([]Exporter, int) {
	list := m.screen.Sorted(m.o.Order, m.o.Filter)
	if i := slices.IndexFunc(list, func(e Exporter) bool { return e.Name == m.chosen }); i >= 0 {
		m.at = i
	}
	m.at = min(max(m.at, 0), max(len(list)-1, 0))
	return list, m.at
}

// move chooses another exporter.
func (m *model) move(by int) {
	list, at := m.list()
	if len(list) == 0 {
		return
	}
	m.at = min(max(at+by, 0), len(list)-1)
	m.chosen = list[m.at].Name
}

// open asks for the details of the exporter that is chosen.
func (m *model) open() tea.Cmd {
	list, at := m.list()
	if len(list) == 0 {
		return nil
	}
	m.mode, m.chosen, m.detail = detailMode, list[at].Name, []string{"reading"}
	name := m.chosen
	return func() tea.Msg {
		text, err := m.client.Exporter(m.ctx, name)
		return detailMsg{text, err}
	}
}

// rows is how many exporters fit.
func (m *model) rows() int { return max(m.height-len(m.screen.Head())-4, 1) }

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	return v
}

// help is what the keys do.
var help = []string{
	"q          quit",
	"s, S       sort by the next column, or the one before: " + strings.Join(Orders, ", "),
	"/          filter exporters by a part of their address; Esc shows all",
	"up, down   choose an exporter (also j, k, page up, page down)",
	"Enter      details of the exporter: streams, templates, sampling, what it lost",
	"p, Space   pause, and go on",
	"",
	"Rates are per second. LOST is what is missing by sequence numbers, in the exporter's",
	"unit; FAILED are datagrams that could not be decoded or were over the rate limit.",
	"docs/runbook.md says what to do about each place of loss.",
	"",
	"any key goes back",
}

// lines returns the screen, no wider and no higher than it is.
func (m *model) lines() []string {
	var lines []string
	switch m.mode {
	case helpMode:
		lines = append([]string{"weir top", ""}, help...)
	case detailMode:
		lines = []string{"exporter " + m.chosen + "  (q goes back, arrows scroll)", ""}
		for _, l := range m.detail[min(m.scroll, len(m.detail)):] {
			lines = append(lines, clean(l))
		}
	default:
		lines = m.listLines()
	}
	if len(lines) > m.height {
		lines = lines[:m.height]
	}
	for i := range lines {
		lines[i] = cut(lines[i], m.width)
	}
	if m.o.Color {
		m.paint(lines)
	}
	return lines
}

// listLines returns the head and the part of the list with the exporter that is chosen.
func (m *model) listLines() []string {
	list, at := m.list()
	status := m.screen.Summary(list, m.o.Order, m.o.Filter)
	switch {
	case m.typing:
		status = "filter: " + m.o.Filter + "_"
	case m.err != nil:
		status = "NOT READ: " + clean(m.err.Error())
	case m.paused:
		status = "PAUSED  " + status
	}
	width := nameWidth(m.width)
	lines := append(m.screen.Head(), "", status, "  "+heading(width-2))
	rows := m.rows()
	first := max(min(at-rows/2, len(list)-rows), 0)
	for i := first; i < min(first+rows, len(list)); i++ {
		mark := "  "
		if i == at && m.chosen != "" {
			mark = "> "
		}
		lines = append(lines, mark+list[i].line(width-2))
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	return append(lines, "q quit  s sort  / filter  Enter details  p pause  ? help")
}

// paint colors the lines that ask for attention.
func (m *model) paint(lines []string) {
	const bold, red, yellow, reverse, plain = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[7m", "\x1b[0m"
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "weir "), strings.Contains(l, "RECORDS/S"):
			lines[i] = bold + l + plain
		case strings.HasPrefix(l, "> "):
			lines[i] = reverse + l + plain
		case strings.HasPrefix(l, "NOT READ"), strings.HasPrefix(l, "health     failing"):
			lines[i] = red + l + plain
		case strings.HasPrefix(l, "health     degraded"), strings.HasPrefix(l, "PAUSED"):
			lines[i] = yellow + l + plain
		}
	}
}
