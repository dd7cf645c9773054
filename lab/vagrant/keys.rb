require 'fileutils'
require 'shellwords'

module Lab
  # Carries the public halves between ci_server and mirror_server, over Vagrant's own SSH: after
  # each `up`, `provision` or `reload` of one of them, what it shows is kept on the host and given
  # to the other, and what the other showed is given to it. No private key passes here.
  module Keys
    PLACE = '/etc/gm_keys'.freeze
    PUBLIC = { 'ci_server' => 'ci_server.pub', 'mirror_server' => 'mirror_server.hostkey' }.freeze
    # One line, with an ed25519 key in it.
    SAFE = %r{\A[A-Za-z0-9.,:\[\] -]*ssh-ed25519 [A-Za-z0-9+/=]{68}( [A-Za-z0-9@._-]*)?\n?\z}.freeze

    module_function

    def carry(environment, machine)
      kept = File.join(environment.local_data_path, 'public_keys')
      FileUtils.mkdir_p(kept)
      keep(machine, kept)
      running(environment).each { |other| give(other, kept) }
    end

    # Keep what the machine shows; it shows nothing before it is provisioned.
    def keep(machine, kept)
      name = PUBLIC.fetch(machine.name.to_s)
      text = +''
      code = machine.communicate.sudo("cat #{PLACE}/#{name}", error_check: false) { |type, data| text << data if type == :stdout }
      return unless code.zero?
      raise "#{machine.name}: #{PLACE}/#{name}: expected one ed25519 key, found #{text.inspect}" unless SAFE.match?(text)

      File.write(File.join(kept, name), text)
    end

    # Give a machine what the others showed.
    def give(machine, kept)
      PUBLIC.each do |owner, name|
        path = File.join(kept, name)
        next if owner == machine.name.to_s || !File.exist?(path)

        machine.communicate.sudo("mkdir -p #{PLACE} && printf '%s\\n' #{Shellwords.escape(File.read(path).chomp)} > #{PLACE}/#{name}")
      end
    end

    def running(environment)
      environment.active_machines.map { |name, provider| environment.machine(name, provider) }
                 .select { |machine| PUBLIC.key?(machine.name.to_s) && machine.communicate.ready? }
    end
  end
end
