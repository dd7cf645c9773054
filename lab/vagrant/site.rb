require 'yaml'

module Lab
  # The lab's settings: lab/site.yaml and, over it, the user's own.
  module Site
    module_function

    def load(checkout)
      own = ENV.fetch('GM_ANALYTICS_SITE', File.join(checkout, 'site.yaml'))
      site = read(File.join(checkout, 'lab/site.yaml'))
      site = merge(site, read(own)) if File.exist?(own)
      site
    end

    def read(path)
      YAML.safe_load(File.read(path)) || {}
    end

    def merge(site, own)
      site.merge(own) { |_, old, new| old.is_a?(Hash) && new.is_a?(Hash) ? merge(old, new) : new }
    end

    # Give the options of a machine's lab interface. VirtualBox's internal network and libvirt's
    # with DHCP off: nobody but dhcp_server gives leases.
    def network(site, settings)
      own = settings['address'] ? { ip: settings['address'] } : { type: 'dhcp', auto_config: false }
      own.merge(
        netmask: '255.255.255.0', virtualbox__intnet: 'gm_lab', libvirt__network_name: 'gm_lab',
        libvirt__network_address: site['network'], libvirt__netmask: '255.255.255.0', libvirt__dhcp_enabled: false
      )
    end

    def folder(site, **options)
      site['synced_folder'] ? { type: site['synced_folder'], **options } : options
    end
  end
end
