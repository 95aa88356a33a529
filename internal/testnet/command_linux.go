package testnet

import (
	"bytes"
	"context"
	"os/exec"
)

// Cmd is an [exec.Cmd] whose child runs on a host. One that still runs when the
// test ends is killed. SysProcAttr.Pdeathsig must not be set: the thread that
// starts the child ends at once.
type Cmd struct {
	*exec.Cmd
	host *Host
}

// Command prepares a program to run on the host, as [exec.CommandContext] does.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{Cmd: exec.CommandContext(ctx, name, args...), host: h}
}

// Start starts the program: a child has the namespace of the thread that forks.
func (c *Cmd) Start() error {
	if err := c.host.Do(c.Cmd.Start); err != nil {
		return err
	}
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	c.host.commands = append(c.host.commands, c)
	return nil
}

// Run starts the program and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the program and returns what it writes to standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the program and returns what it writes to standard output
// and standard error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// end kills the program if it runs. Errors say that it had ended before.
func (c *Cmd) end() {
	if c.Process.Kill() == nil {
		_ = c.Wait()
	}
}
