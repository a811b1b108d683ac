package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
)

// serveCommand is the background process behind "lab up".
func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Own a laboratory", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := control.Dir(labName)
			if err != nil {
				return err
			}
			ctx, end := context.WithCancel(c.Context())
			defer end()
			go func() {
				// "lab up" says one byte if the laboratory is to outlive it.
				if n, _ := io.ReadFull(c.InOrStdin(), make([]byte, 1)); n == 0 {
					end()
				}
			}()
			return control.Serve(ctx, labName, dir)
		},
	}
}
