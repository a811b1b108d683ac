package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"bootswain/lab"
	"bootswain/lab/control"
)

func sshCommand() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "ssh [USER [COMMAND…]]",
		Short: "Log in over SSH (as admin), or run a command as a user",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			user := "admin"
			if len(args) > 0 {
				user, args = args[0], args[1:]
			}
			var st control.Status
			if err := ask(c, "status", none{}, &st); err != nil {
				return err
			}
			if key == "" {
				key = st.PrivateKey
			}
			signer, err := readKey(key)
			if err != nil {
				return err
			}
			client, err := lab.DialSSH(c.Context(), st.SSH, user, signer)
			if err != nil {
				return err
			}
			defer client.Close()
			return session(client, strings.Join(args, " "))
		},
	}
	c.Flags().SetInterspersed(false)
	c.Flags().StringVar(&key, "key", "", "private key `FILE` (default: the EC2 key pair's)")
	return c
}

// session runs a command, or a shell, on this terminal.
func session(client *ssh.Client, command string) error {
	s, err := client.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	s.Stdin, s.Stdout, s.Stderr = os.Stdin, os.Stdout, os.Stderr
	if command == "" {
		restore, err := terminal(s)
		if err != nil {
			return err
		}
		defer restore()
		if err := s.Shell(); err != nil {
			return err
		}
		err = s.Wait()
		return status(err)
	}
	return status(s.Run(command))
}

// terminal makes this terminal the session's, if it is one.
func terminal(s *ssh.Session) (restore func(), err error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return func() {}, nil
	}
	width, height, err := term.GetSize(fd)
	if err != nil {
		return nil, err
	}
	if err := s.RequestPty(os.Getenv("TERM"), height, width, ssh.TerminalModes{}); err != nil {
		return nil, err
	}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(fd, old) }, nil
}

func status(err error) error {
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		return exitStatus(exit.ExitStatus())
	}
	return err
}
