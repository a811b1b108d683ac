package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

func unlockCommand() *cobra.Command {
	var recovery bool
	c := &cobra.Command{
		Use:   "unlock NAME < KEY",
		Short: "Bring a volume up with a key from outside",
		Long: `Bring the volume NAME up with the key on standard input, as it is; a terminal is
asked for a passphrase. The recovery key comes from where its offline identity is:

  ssh HOST sudo bootswain key recovery NAME > recovery.age
  age -d -i IDENTITY recovery.age | ssh HOST sudo bootswain unlock NAME --recovery

Then give the volume a key that its image can unseal: key rotate --with-key.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.Unlock(c.Context(), args[0], recovery, c.InOrStdin())
		},
	}
	c.Flags().BoolVar(&recovery, "recovery", false, "the key is the recovery key")
	return c
}

func keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "The keys of a volume, and its LUKS header", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	header := &cobra.Command{
		Use: "header", Short: "Back up and restore a volume's LUKS header", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	header.AddCommand(
		headerCommand("backup NAME FILE", "Write a volume's LUKS header to a file",
			`Write the LUKS header of the volume NAME, with its wrapped keys, to FILE, which
only its owner can read. Take it off this machine: without its header a volume
is lost. cryptsetup luksHeaderRestore understands it too.

Who has the file and a key that the volume had when it was made can open the
volume, even after that key was rotated away.`, (*agent.Agent).BackUpHeader),
		headerCommand("restore NAME FILE", "Write a backup over a volume's LUKS header",
			`Write the header in FILE over that of the volume NAME, which must be down. A
backup of another set is refused, and one that is older than a header that is
good. What is written over is kept in FILE.replaced.`, (*agent.Agent).RestoreHeader),
	)
	passphrase := &cobra.Command{
		Use: "add-passphrase NAME", Short: "Let a passphrase open a volume, too",
		Long: `Let the passphrase that is typed, or that on standard input as it is, open the
volume NAME, too. Trying one takes time and memory (argon2id). Rotating the
volume's key leaves it alone.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.AddPassphrase(c.Context(), args[0], c.InOrStdin())
		},
	}
	c.AddCommand(newKeyCommand(), rotateCommand(), passphrase, header, volumeCommand("recovery NAME", "Print the recovery key of a volume, sealed",
		`Print the ciphertext of the recovery key of the volume NAME, for who holds the
offline identity that it is sealed to: age -d -i IDENTITY.`, (*agent.Agent).RecoveryKey))
	return c
}

// withKeyCommand is what this program runs as another process, and nobody else.
func withKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "with-key", Short: "Get a key and do something with it for the process that asked", Hidden: true, Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return a.WithKey(c.Context(), c.InOrStdin())
		},
	}
}

func newKeyCommand() *cobra.Command {
	var options agent.NewKeyOptions
	c := &cobra.Command{
		Use:   "new --kms KEY --set NAME",
		Short: "Have AWS KMS make a volume key, for launch data",
		Long: `Have AWS KMS make a random volume key, and print the stanza for the launch data.
The key itself never leaves KMS: only its ciphertext does, which KMS decrypts for
who may use KEY and names the same encryption context, set=NAME. Name the set and
not its volumes: restored from snapshots, they have other ids.

Region and credentials are those of Amazon's own tools: AWS_REGION, AWS_PROFILE.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case options.KMS == "":
				return usageError{errors.New("made by which key? --kms alias/…")}
			case options.Set == "" && len(options.Context) == 0:
				return usageError{errors.New("for which set of volumes? --set NAME")}
			}
			return agent.NewKey(c.Context(), options, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&options.KMS, "kms", "", "alias, id or ARN of the `KEY` of KMS")
	c.Flags().StringVar(&options.Set, "set", "", "logical `NAME` of the set that the key is for")
	c.Flags().StringToStringVar(&options.Context, "context", nil, "more of the encryption context, `NAME=VALUE`")
	return c
}

func rotateCommand() *cobra.Command {
	var options agent.RotateOptions
	c := &cobra.Command{
		Use:   "rotate NAME [--sealed FILE | --recovery [--to RECIPIENT]] [--with-key < KEY]",
		Short: "Give a volume a new key in the place of the old one",
		Long: `Give the volume NAME, which may be in use, the key that the launch data names, or
that in FILE, in the place of the one it has; or, with --recovery, a new random
recovery key. The new key is added, tried and noted in the volume before the old
one is removed. Run again after a crash, it finishes.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case options.Recovery && options.Sealed != "":
				return usageError{errors.New("a recovery key is made anew; leave --sealed out")}
			case options.To != "" && !options.Recovery:
				return usageError{errors.New("--to is about the recovery key: --recovery --to age1…")}
			case options.WithKey && options.Sealed == "-":
				return usageError{errors.New("standard input cannot be both keys; give --sealed a file")}
			}
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			options.Name = args[0]
			return a.RotateKey(c.Context(), options, c.InOrStdin())
		},
	}
	c.Flags().StringVar(&options.Sealed, "sealed", "", "the new key in `FILE`, as seal or key new prints it; - is standard input")
	c.Flags().BoolVar(&options.Recovery, "recovery", false, "make a new recovery key instead")
	c.Flags().StringVar(&options.To, "to", "", "age `RECIPIENT` of the recovery key, instead of the launch data's")
	c.Flags().BoolVar(&options.WithKey, "with-key", false, "read a key that opens the volume now from standard input, where this image cannot unseal it")
	return c
}

func headerCommand(use, short, long string, do func(*agent.Agent, context.Context, string, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return do(a, c.Context(), args[0], args[1])
		},
	}
}
