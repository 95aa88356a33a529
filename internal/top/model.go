package top

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// view is what the screen shows.
type view int

const (
	viewExporters view = iota
	viewLoss
	viewQueues
	views // the number of those that tab goes through

	viewDetail = views
)

// model is the model of the program. Bubbletea calls its methods one after the other.
type model struct {
	ask   func(request) answer
	addr  string
	style style
	plan  *schedule
	state *state

	now           time.Time
	width, height int

	view   view
	help   bool
	paused bool
	idle   bool // paused, and no request is under way

	sort      order
	backwards bool
	filter    string
	typing    bool // keys go to the filter

	rows     []*row // in the order in which they are shown
	selected text   // the exporter under the cursor, "" for the first row
	index    int    // its row
	first    int    // the first row that is shown
	scroll   int    // lines of the detail, and of other long screens, above the screen
}

// Messages besides those of bubbletea and answer.
type (
	// second is a second that has passed.
	second time.Time
	// due says that the next request may be sent.
	due struct{}
)

// newModel returns the model of a program that got first as its first answer.
func newModel(ask func(request) answer, addr string, st style, first answer) *model {
	m := &model{ask: ask, addr: addr, style: st, plan: newSchedule(), state: newState(), now: first.at, width: 80, height: 24}
	m.plan.asked = 1
	m.state.apply(&first)
	return m
}

// Init starts the clock and sends the next request.
func (m *model) Init() tea.Cmd {
	return tea.Batch(tick(), func() tea.Msg { return due{} })
}

func tick() tea.Cmd {
	return tea.Every(time.Second, func(t time.Time) tea.Msg { return second(t) })
}

// Update takes a message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case second:
		if !m.paused {
			m.now = time.Time(msg)
			m.arrange()
		}
		return m, tick()
	case due:
		if m.idle = m.paused; m.idle {
			return m, nil
		}
		r := m.plan.next(m.state)
		return m, func() tea.Msg { return m.ask(r) }
	case answer:
		return m, m.answered(&msg)
	case tea.PasteMsg:
		if m.typing {
			m.addFilter(msg.Content)
		}
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

// answered takes an answer over, unless the screen was paused meanwhile.
func (m *model) answered(a *answer) tea.Cmd {
	wait := m.plan.done(a)
	if !m.paused && (a.page != pageDetail || a.addr == m.plan.one) {
		m.state.apply(a)
		m.now = a.at
		m.arrange()
	}
	return tea.Tick(wait, func(time.Time) tea.Msg { return due{} })
}

// arrange sorts the rows again and keeps the cursor on its exporter.
func (m *model) arrange() {
	m.rows = sorted(m.state.rows, m.sort, m.backwards, m.filter, m.now)
	if i := slices.IndexFunc(m.rows, func(r *row) bool { return r.addr == m.selected }); i >= 0 {
		m.index = i
	}
	m.move(0)
}

// move moves the cursor by rows. On the first row it stays there, whatever exporter comes
// there.
func (m *model) move(by int) {
	m.index = max(0, min(m.index+by, len(m.rows)-1))
	if m.selected = ""; m.index > 0 {
		m.selected = m.rows[m.index].addr
	}
}

// key does what a key asks for.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return tea.Quit
	}
	if m.typing {
		m.typeKey(k)
		return nil
	}
	switch k.String() {
	case "q":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "?", "h", "f1":
		m.help, m.scroll = !m.help, 0
		return nil
	case "esc":
		m.back()
		return nil
	case "p", "space":
		return m.pause()
	}
	if m.help {
		m.scroll = max(0, m.scroll+m.step(k.String()))
		return nil
	}
	switch k.String() {
	case "tab", "right":
		m.show((m.view + 1) % views)
	case "shift+tab", "left":
		m.show((m.view + views - 1) % views)
	case "1", "e":
		m.show(viewExporters)
	case "2", "l":
		m.show(viewLoss)
	case "3", "u":
		m.show(viewQueues)
	case "enter":
		if m.view == viewExporters && len(m.rows) > 0 {
			m.open(m.rows[m.index].addr)
		}
	case "s":
		m.sort, m.backwards = (m.sort+1)%orders, false
		m.top()
	case "r":
		m.backwards = !m.backwards
		m.top()
	case "/", "f":
		m.show(viewExporters)
		m.typing = true
	default:
		if m.view == viewExporters {
			m.move(m.step(k.String()))
		} else {
			m.scroll = max(0, m.scroll+m.step(k.String()))
		}
	}
	return nil
}

// step returns by how many lines a key moves.
func (m *model) step(key string) int {
	pageful := max(1, m.height-12)
	switch key {
	case "down", "j":
		return 1
	case "up", "k":
		return -1
	case "pgdown", "ctrl+f":
		return pageful
	case "pgup", "ctrl+b":
		return -pageful
	case "home", "g":
		return -1 << 30
	case "end", "G":
		return 1 << 30
	}
	return 0
}

// top sorts again and puts the cursor on the first row.
func (m *model) top() {
	m.selected, m.index, m.first = "", 0, 0
	m.arrange()
}

// show changes the view, away from the detail of an exporter.
func (m *model) show(v view) {
	m.view, m.scroll = v, 0
	if m.plan.one != "" {
		m.plan.show("")
	}
}

// open shows the detail of an exporter.
func (m *model) open(addr text) {
	m.view, m.scroll = viewDetail, 0
	m.state.detail, m.state.detailErr = nil, nil
	m.plan.show(addr)
}

// back leaves the help, the detail, another view or the filter, whichever is first.
func (m *model) back() {
	switch {
	case m.help:
		m.help = false
	case m.view != viewExporters:
		m.show(viewExporters)
	case m.filter != "":
		m.filter = ""
		m.top()
	}
}

// pause stops the screen and the requests, or lets them continue.
func (m *model) pause() tea.Cmd {
	m.paused = !m.paused
	if m.paused || !m.idle {
		return nil
	}
	m.idle = false
	return func() tea.Msg { return due{} }
}

// typeKey edits the filter, which the table follows at once.
func (m *model) typeKey(k tea.KeyPressMsg) {
	switch k.String() {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-n]
	case "ctrl+u":
		m.filter = ""
	default:
		m.addFilter(k.Text)
	}
	m.top()
}

// addFilter adds what was typed or pasted.
func (m *model) addFilter(s string) {
	if s = string(clean(s)); len(m.filter)+len(s) <= maxText {
		m.filter += s
	}
}

// View returns the screen.
func (m *model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.WindowTitle = "weir top " + string(clean(m.addr))
	return v
}

// run shows the screen until the user quits. in and out are the terminal; nil for the
// standard ones.
func run(c *client, st style, environ []string, first answer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ask := func(r request) answer { return c.ask(ctx, r) }
	m := newModel(ask, c.addr, st, first)
	_, err := tea.NewProgram(m, tea.WithEnvironment(environ), tea.WithFPS(20), tea.WithColorProfile(st.profile())).Run()
	if err != nil && !isInterrupt(err) {
		return fmt.Errorf("show weir: %w", err)
	}
	return nil
}
